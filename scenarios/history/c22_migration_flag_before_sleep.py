"""A vCPU is marked as migrating, but taken off its run queue too late (Xen 9a36de177c, May 2018).

vcpu_set_affinity marks a vCPU with VPF_migrating under the scheduler's lock of its
pCPU; then it takes that lock again to put the vCPU to sleep: off the run queue.

    pCPU 0, schedule                         toolstack, vcpu_set_affinity
    v is preempted: back on run queue 0
                                             lock 0: VPF_migrating
    context_saved: v no longer runs, and is
    marked: vcpu_migrate moves it to pCPU 1,
    clears the mark; wake: "it is queued"
                                             lock 0: no longer marked, so no sleep

v stays on the run queue of pCPU 0 while v->processor says 1: from then on that
queue is edited under the wrong lock.  The fix marks v and puts it to sleep in one
critical section.

Unlike Xen, every migration goes to pCPU 1, and of credit only the run queues are left.
"""

import racebench as rb

TITLE = "The affinity of vCPU v changes while its pCPU switches to another"
SOURCE = "schedule.c: vcpu_set_affinity, vcpu_migrate, context_saved @ 9a36de177c"
TAGS = ["history", "scheduler", "C22"]
EXPECT = {"before": ["sched.wrong_runqueue"], "after": []}


class Vcpu(rb.State):
    """vCPU v; what is not atomic is guarded by the schedule_lock of its processor."""

    # Read without the lock, to find it.
    processor = rb.shared(0, atomic=True)
    # Cleared between barriers, no lock.
    is_running = rb.shared(True, atomic=True)
    VPF_migrating = rb.shared(False, atomic=True)
    curr_on_cpu = rb.shared(True)
    # The pCPU whose run queue its list node is linked into.
    on_runq = rb.shared(None)

    def __init__(self):
        self.schedule_locks = rb.Lock("schedule_lock", 0), rb.Lock("schedule_lock", 1)

    def label(self):
        return "v"

    def vcpu_schedule_lock(self):
        """The lock of v's processor, taken.  Xen: sched-if.h, same @ 9a36de177c."""
        while True:
            lock = self.schedule_locks[self.processor]
            lock.acquire()
            if lock is self.schedule_locks[self.processor]:
                return lock
            lock.release()

    def vcpu_set_affinity(self):
        """The toolstack allows v pCPU 1 only.  Xen: schedule.c, same @ 9a36de177c."""
        lock = self.vcpu_schedule_lock()
        self.VPF_migrating = True
        self.vcpu_sleep_nosync_locked()
        lock.release()
        self.vcpu_migrate()

    def vcpu_sleep_nosync_locked(self):
        """Off the run queue, unless runnable.  Xen: schedule.c; sched_credit.c, csched_vcpu_sleep."""
        if self.VPF_migrating and not self.curr_on_cpu:
            self.on_runq = None

    def vcpu_migrate(self):
        """If v does not run: context_saved calls it otherwise.  Xen: schedule.c, same @ 9a36de177c."""
        with self.schedule_locks[0], self.schedule_locks[1]:
            if self.is_running or not self.VPF_migrating:
                return
            self.VPF_migrating = False
            self.processor = 1
        self.vcpu_wake()

    def vcpu_wake(self):
        """On the run queue, if on none.  Xen: schedule.c; sched_credit.c, csched_vcpu_wake @ 9a36de177c."""
        lock = self.vcpu_schedule_lock()
        if not self.VPF_migrating and not self.curr_on_cpu and self.on_runq is None:
            self.on_runq = self.processor
        lock.release()

    def schedule(self):
        """pCPU 0 preempts v.  Xen: schedule.c, same; sched_credit.c, csched_schedule @ 9a36de177c."""
        with self.schedule_locks[0]:
            if not self.VPF_migrating:
                self.on_runq = 0
            self.curr_on_cpu = False
        self.context_saved()

    def context_saved(self):
        """Xen: schedule.c, same @ 9a36de177c."""
        self.is_running = False
        if self.VPF_migrating:
            self.vcpu_migrate()


class TwoSections(Vcpu):
    def vcpu_set_affinity(self):
        """Xen: schedule.c, same @ 9a36de177c^."""
        lock = self.vcpu_schedule_lock()
        self.VPF_migrating = True
        lock.release()
        if self.VPF_migrating:
            self.vcpu_sleep_nosync()
            self.vcpu_migrate()

    def vcpu_sleep_nosync(self):
        """Xen: schedule.c, same @ 9a36de177c^."""
        lock = self.vcpu_schedule_lock()
        self.vcpu_sleep_nosync_locked()
        lock.release()


def on_the_queue_of_its_processor(v, results):
    if v.on_runq == v.processor:
        return None
    message = f"v is on the run queue of pCPU {v.on_runq}, but v->processor is {v.processor}"
    return rb.broken("sched.wrong_runqueue", message, ("runq", "processor"))


def snapshot(v):
    return {"v->processor": v.processor, "v is on the run queue of": v.on_runq}


def variants():
    def program(vcpu):
        return rb.Program(
            "migration_flag",
            setup=vcpu,
            threads={"pcpu0": lambda v: v.schedule(), "toolstack": lambda v: v.vcpu_set_affinity()},
            check=on_the_queue_of_its_processor,
            snapshot=snapshot,
        )

    return {"before": program(TwoSections), "after": program(Vcpu)}
