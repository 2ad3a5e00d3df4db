"""An unlock restores no flags, and so switches interrupts on (Xen aa717d803e, November 2022).

A write to GICR_PENDBASER takes the vCPU's lock with spin_lock_irqsave, and ends with
spin_unlock_irqrestore(&v->arch.vgic.lock, false): not the flags that it saved, but
zero, which on ARM masks nothing.  Interrupts are on after it, whatever they were.

before  A caller that has them off for a lock of its own is open to the next
        interrupt, which wants that lock.
after   The flags that were saved.

Unlike Xen, there is such a caller: in Xen an access of the guest is emulated with
interrupts on, so nothing came of it in the five years that it was there (fe7fa1332d).
"""

import racebench as rb

TITLE = "A caller that has interrupts off writes GICR_PENDBASER for the guest"
SOURCE = "vgic-v3.c: __vgic_v3_rdistr_rd_mmio_write @ aa717d803e"
TAGS = ["history", "interrupt", "C31"]
EXPECT = {"before": ["deadlock.self", "lock_order.inversion"], "after": []}


class Vcpu(rb.State):
    rdist_pendbase = rb.shared(0)
    lr_pending = rb.shared(())

    def __init__(self):
        self.lock = rb.Lock("vcpu", 0)
        self.caller_lock = rb.Lock("caller")

    def label(self):
        return "vcpu[0]"

    def hold(self):
        """The flags are saved and restored.  Xen: vgic-v3.c, in the write @ aa717d803e."""
        return self.lock.irqsave()


class FlagsZero(Vcpu):
    def hold(self):
        """spin_unlock_irqrestore(lock, false).  Xen: vgic-v3.c, in the write @ aa717d803e^."""
        return self.lock.irq()


def rdistr_mmio_write(v):
    """GICR_PENDBASER.  Xen: vgic-v3.c, __vgic_v3_rdistr_rd_mmio_write @ aa717d803e."""
    with v.hold():
        v.rdist_pendbase = 0x8000_0000


def caller(v):
    """Stands for any that shares a lock with interrupts."""
    with v.caller_lock.irqsave():
        rdistr_mmio_write(v)
        v.lr_pending = (*v.lr_pending, 40)


def do_IRQ(v):
    """An interrupt that takes the caller's lock."""
    with v.caller_lock.irqsave():
        v.lr_pending = (*v.lr_pending, 41)


def both_queued(v, results):
    if set(v.lr_pending) == {40, 41}:
        return None
    return rb.broken("list.corrupted", f"lr_pending is {v.lr_pending}", ("lr_pending",))


def variants():
    def program(state):
        return rb.Program(
            "restore_without_flags",
            setup=state,
            threads={"vcpu0": caller},
            interrupts={"irq": ("vcpu0", do_IRQ)},
            check=both_queued,
        )

    return {"before": program(FlagsZero), "after": program(Vcpu)}
