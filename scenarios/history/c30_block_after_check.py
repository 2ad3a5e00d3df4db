"""A vCPU looks for events before others can see that it blocks (Xen 109e8177fd, February 2021).

vcpu_block sets VPF_blocked, then looks for events once more: one that came before it
is seen there, for one that comes after it vcpu_unblock finds the bit, and wakes the
vCPU.  The order is right in the program; but set_bit is no barrier, and the processor
may do the read first:

    vCPU 0, vcpu_block                       another CPU
    sets VPF_blocked (in its store buffer)
    reads: no event
                                             the event is there
                                             vcpu_unblock: not blocked, nothing to do
    VPF_blocked becomes visible: asleep

before  Nothing between the two.
after   smp_mb__after_atomic.

Unlike Xen, local_events_need_delivery reads the event with no lock: in RaceBench a
lock orders every store before it, whereas taking a spinlock on ARM lets it pass.
"""

import racebench as rb

TITLE = "An event comes while the vCPU goes to sleep"
SOURCE = "sched/core.c: vcpu_block @ 109e8177fd"
TAGS = ["history", "scheduler", "barrier", "C30"]
EXPECT = {"before": ["sched.lost_wakeup"], "after": []}


class Vcpu(rb.State):
    """set_bit and clear_bit are atomic; when others see them is another matter."""

    VPF_blocked = rb.shared(False, atomic=True, delayed=True)
    evtchn_upcall_pending = rb.shared(False, atomic=True)

    def label(self):
        return "v"

    def blocked_is_visible(self):
        """Xen: sched/core.c, in vcpu_block @ 109e8177fd."""
        rb.smp_mb()


class NoBarrier(Vcpu):
    def blocked_is_visible(self):
        """Xen: sched/core.c, in vcpu_block @ 109e8177fd^."""


def vcpu_block(v):
    """The guest executed WFI.  Xen: sched/core.c, vcpu_block @ 109e8177fd."""
    v.VPF_blocked = True
    v.blocked_is_visible()
    if v.evtchn_upcall_pending:
        v.VPF_blocked = False


def vcpu_mark_events_pending(v):
    """evtchn_send, on another CPU.  Xen: arm/domain.c, vcpu_mark_events_pending @ 109e8177fd."""
    v.evtchn_upcall_pending = True
    vcpu_unblock(v)


def vcpu_unblock(v):
    """Of vcpu_kick.  Xen: sched/core.c, vcpu_unblock @ 109e8177fd."""
    if v.VPF_blocked:
        v.VPF_blocked = False


def awake(v, results):
    if not v.VPF_blocked:
        return None
    message = "vCPU 0 is blocked with an event pending: vcpu_unblock found it not blocked yet"
    return rb.broken("sched.lost_wakeup", message, ("VPF_blocked", "evtchn_upcall_pending"))


def variants():
    def program(vcpu):
        threads = {"vcpu0": vcpu_block, "sender": vcpu_mark_events_pending}
        return rb.Program("block_after_check", setup=vcpu, threads=threads, check=awake)

    return {"before": program(NoBarrier), "after": program(Vcpu)}
