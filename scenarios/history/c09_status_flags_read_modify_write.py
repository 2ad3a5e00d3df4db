"""Two locks guard one word: a flag of desc->status is lost (Xen 50d8fe8fcb, August 2014).

gic_update_one_lr clears IRQ_INPROGRESS under the vCPU's lock, gicv2_irq_disable
sets IRQ_DISABLED under desc->lock; each reads the word, changes its bit, and
writes the word back.  Whoever reads before the other writes undoes the other's
change: the line is off, but a later gic_route_irq_to_xen asserts that DISABLED
is set; or release_irq spins for ever on an INPROGRESS that nobody will clear.
With set_bit and clear_bit each changes its bit alone.

Unlike Xen, the bits have a field each after the fix.
"""

import racebench as rb

TITLE = "The guest's EOI is noticed on one CPU while another disables the interrupt"
SOURCE = "gic.c: gic_update_one_lr, gic-v2.c: gicv2_irq_disable @ 50d8fe8fcb"
TAGS = ["history", "eoi", "C9"]
EXPECT = {"before": ["data_race", "irq.stuck_inprogress", "mapping.lost_enable"], "after": []}

IRQ_INPROGRESS, IRQ_DISABLED = 1, 2


class IrqDesc(rb.State):
    def __init__(self):
        self.lock = rb.Lock("desc", 64)
        self.vcpu_lock = rb.Lock("vcpu", 0)

    def label(self):
        return "desc[64]"


class Word(IrqDesc):
    """Plain C on an unsigned int.  Xen: irq.h, struct irq_desc @ 50d8fe8fcb^."""

    status = rb.shared(IRQ_INPROGRESS)

    def clear_inprogress(self):
        self.status &= ~IRQ_INPROGRESS

    def set_disabled(self):
        self.status |= IRQ_DISABLED

    def flags(self):
        return bool(self.status & IRQ_INPROGRESS), bool(self.status & IRQ_DISABLED)


class Bits(IrqDesc):
    """clear_bit and set_bit.  Xen: irq.h, struct irq_desc @ 50d8fe8fcb."""

    INPROGRESS = rb.shared(True, atomic=True)
    DISABLED = rb.shared(False, atomic=True)

    def clear_inprogress(self):
        self.INPROGRESS = False

    def set_disabled(self):
        self.DISABLED = True

    def flags(self):
        return self.INPROGRESS, self.DISABLED


def gic_update_one_lr(desc):
    """The guest has ended it.  Xen: gic.c, gic_update_one_lr @ 50d8fe8fcb."""
    with desc.vcpu_lock:
        desc.clear_inprogress()


def gicv2_irq_disable(desc):
    """The guest wrote ICENABLER.  Xen: gic-v2.c, gicv2_irq_disable @ 50d8fe8fcb."""
    with desc.lock:
        desc.set_disabled()


def both_changes_there(desc, results):
    in_progress, disabled = desc.flags()
    if in_progress:
        message = "pIRQ 64 is INPROGRESS, though the guest has ended it: release_irq would spin for ever"
        yield rb.broken("irq.stuck_inprogress", message, ("INPROGRESS",))
    if not disabled:
        message = "the line of pIRQ 64 is off, but desc->status does not say DISABLED"
        yield rb.broken("mapping.lost_enable", message, ("DISABLED",))


def variants():
    def program(state):
        return rb.Program(
            "status_flags",
            setup=state,
            threads={"vcpu0": gic_update_one_lr, "vcpu1": gicv2_irq_disable},
            check=both_changes_there,
        )

    return {"before": program(Word), "after": program(Bits)}
