"""An interrupt ends through the none handler, which ends nothing (Xen 8aa276235b, February 2019).

A domain dies and gives pIRQ 64 back.  Another pCPU has acknowledged that very
interrupt and waits for desc->lock in do_IRQ.  The release shuts the line down,
sets the none handler and drops the lock; do_IRQ calls desc->handler->end, and the
end of none does nothing.  The priority of that pCPU never drops: no interrupt of
any guest reaches it again.  No lock can help, for do_IRQ comes after.

The fix ends it there as the host ends its own: priority drop and deactivation.  do_IRQ
holds desc->lock with interrupts on before and after: that took until June (see C25).

Unlike Xen, the new none handler is a second object, put in the place of the
first before desc->lock is dropped.
"""

from racebench.vgic import Initial, protocol, written_program
from racebench.vgic.desc import GIC_HOST_IRQ_TYPE, HwIrqController

TITLE = "pIRQ 64 fires while a dying domain gives it back"
SOURCE = "irq.c: end_none, no_irq_type @ 8aa276235b"
TAGS = ["history", "irq", "release", "C21"]
EXPECT = {"before": ["irq.line_dead", "irq.lost_eoi", "lock.irqs_on"], "after": ["lock.irqs_on"]}

DYING = Initial(state="dying", routed=((40, 64, True),))
THREADS = {"pcpu1": ["irq pirq=64"], "toolstack": ["release virq=40"]}

CreationGuard = protocol("creation_guard")


class NoIrqType(HwIrqController):
    def end(self, desc):
        """Xen: irq.c, end_none @ 8aa276235b."""
        GIC_HOST_IRQ_TYPE.end(desc)


NO_IRQ_TYPE = NoIrqType()


class EndsCleanly(CreationGuard):
    def gic_remove_irq_from_guest(self, d, virq, desc):
        """Enter with desc.lock held.  Xen: gic.c, gic_remove_irq_from_guest @ 8aa276235b."""
        ret = super().gic_remove_irq_from_guest(d, virq, desc)
        if not ret:
            desc.handler = NO_IRQ_TYPE
        return ret


def variants():
    def program(code):
        return written_program("spurious_interrupt_not_ended", DYING, THREADS, code)

    return {"before": program(CreationGuard), "after": program(EndsCleanly)}
