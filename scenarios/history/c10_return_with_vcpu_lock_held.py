"""gic_restore_pending_irqs returns with the vCPU's lock held (Xen 9a81688b13 to 72eaf29e8d, June 2014).

gic_before  Up to then gic.lock guards the list registers and lr_pending.  The
            function walks lr_pending with no lock, and takes gic.lock for each
            interrupt that it moves, while another CPU injects.
before      9a81688b13 takes the vCPU's lock around the walk, as injection does.
            The early return for "no free list register" stays as it was: now
            it leaves with the lock, and the next injection hangs on any CPU.
before_trap The same; the vCPU's own next trap hangs as well.
after       72eaf29e8d, two commits on, rewrites the loop: every way out goes by
            one label that unlocks.  Only a bisection can land between the two.

Unlike Xen, there is one list register, all interrupts have one priority, so
72eaf29e8d evicts nobody, and the injected interrupt always goes to lr_pending.
"""

import racebench as rb

TITLE = "Two interrupts wait for the only list register while a third is injected"
SOURCE = "gic.c: gic_restore_pending_irqs @ 9a81688b13, 72eaf29e8d"
TAGS = ["history", "injection", "C10"]
EXPECT = {
    "gic_before": ["data_race"],
    "before": ["lock.leaked"],
    "before_trap": ["deadlock.self"],
    "after": [],
}


class Vcpu(rb.State):
    lr_pending = rb.shared((40, 41))
    GICH_LR = rb.shared(0, atomic=True)

    def __init__(self):
        self.lock = rb.Lock("vcpu", 0)

    def label(self):
        return "vcpu[0]"

    def gic_restore_pending_irqs(self):
        """One way out.  Xen: gic.c, gic_restore_pending_irqs @ 72eaf29e8d."""
        with self.lock:
            for virq in self.lr_pending:
                if self.GICH_LR:
                    break
                self.gic_set_lr(virq)

    def gic_set_lr(self, virq):
        """Off the queue, into the register.  Xen: gic.c, gic_set_lr and its callers @ 72eaf29e8d."""
        self.GICH_LR = virq
        self.lr_pending = tuple(v for v in self.lr_pending if v != virq)


class EarlyReturn(Vcpu):
    def gic_restore_pending_irqs(self):
        """Xen: gic.c, gic_restore_pending_irqs @ 9a81688b13."""
        self.lock.acquire()
        for virq in self.lr_pending:
            if self.GICH_LR:
                return
            self.gic_set_lr(virq)
        self.lock.release()


class GicLock(Vcpu):
    def __init__(self):
        self.lock = rb.Lock("gic")

    def gic_restore_pending_irqs(self):
        """Xen: gic.c, gic_restore_pending_irqs @ 9a81688b13^."""
        for virq in self.lr_pending:
            if self.GICH_LR:
                return
            with self.lock:
                self.gic_set_lr(virq)


def gic_inject(v):
    """The way into the guest.  Xen: gic.c, gic_inject @ 9a81688b13."""
    v.gic_restore_pending_irqs()


def into_the_guest_and_back(v):
    """Its interrupt ends, and the vCPU traps.  Xen: traps.c, enter_hypervisor_head @ 9a81688b13."""
    gic_inject(v)
    gic_clear_lrs(v)


def gic_clear_lrs(v):
    """Free the register.  Xen: gic.c, gic_clear_lrs @ 9a81688b13."""
    with v.lock:
        v.GICH_LR = 0


def vgic_vcpu_inject_irq(v):
    """Another CPU injects.  Xen: vgic.c, vgic_vcpu_inject_irq @ 9a81688b13."""
    with v.lock:
        v.lr_pending = (*v.lr_pending, 42)


def variants():
    def program(state, vcpu0):
        threads = {"vcpu0": vcpu0, "cpu1": vgic_vcpu_inject_irq}
        return rb.Program("restore_pending", setup=state, threads=threads)

    return {
        "gic_before": program(GicLock, into_the_guest_and_back),
        "before": program(EarlyReturn, gic_inject),
        "before_trap": program(EarlyReturn, into_the_guest_and_back),
        "after": program(Vcpu, into_the_guest_and_back),
    }
