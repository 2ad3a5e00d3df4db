"""vcpu_pause returns, and its caller reads the context of before (Xen f679038961, September 2020).

vcpu_pause waits until v->is_running is clear; then the caller reads v's saved state,
here for XEN_DOMCTL_getvcpucontext.  The pCPU that runs v saves the state first and
clears is_running after, with smp_wmb between.  Yet the reader has no barrier: its
processor may read the state while it still waits for is_running, before the other has
saved it, and keep what it read.

before  Nothing between the last read of is_running and the state.
after   smp_mb in sync_vcpu_execstate.

Unlike Xen, the load that overtakes has one early place, before the wait, wherever the
processor could have done it; behind the barrier, it is where the program has it.
"""

import racebench as rb

TITLE = "A toolstack reads the saved list registers of a vCPU that it has paused"
SOURCE = "domain.c: sync_vcpu_execstate @ f679038961"
TAGS = ["history", "scheduler", "barrier", "C29"]
EXPECT = {"before": ["data_race", "vcpu.stale_context"], "after": []}

OLD, SAVED = "vIRQ 40", "vIRQ 41"


class Vcpu(rb.State):
    gic_lr = rb.shared(OLD)
    is_running = rb.shared(True, atomic=True)
    pause_count = rb.shared(0, atomic=True)

    def label(self):
        return "v"

    def getvcpucontext(self):
        """Pause v, and read.

        Xen: domctl.c, XEN_DOMCTL_getvcpucontext; domain.c, vcpu_pause; sched/core.c,
        vcpu_sleep_sync; arm/domain.c, sync_vcpu_execstate @ f679038961.
        """
        self.pause_count = 1
        rb.wait_until(lambda: not self.is_running)
        rb.smp_mb()
        return self.gic_lr


class NoBarrier(Vcpu):
    def getvcpucontext(self):
        """The load of the state overtakes that of is_running.  Xen: the same @ f679038961^."""
        self.pause_count = 1
        lrs = self.gic_lr
        rb.wait_until(lambda: not self.is_running)
        return lrs


def context_switch(v):
    """v's pCPU switches away.  Xen: arm/domain.c, ctxt_switch_from; sched/core.c, vcpu_context_saved."""
    v.gic_lr = SAVED
    rb.smp_wmb()
    v.is_running = False


def context_is_the_saved_one(v, results):
    seen = results["toolstack"]
    if seen == SAVED:
        return None
    message = f"v is paused with {SAVED} in its list registers, but its caller reads {seen}, of before"
    return rb.broken("vcpu.stale_context", message, ("gic_lr",))


def variants():
    def program(vcpu):
        threads = {"pcpu0": context_switch, "toolstack": lambda v: v.getvcpucontext()}
        return rb.Program("vcpu_pause", setup=vcpu, threads=threads, check=context_is_the_saved_one)

    return {"before": program(NoBarrier), "after": program(Vcpu)}
