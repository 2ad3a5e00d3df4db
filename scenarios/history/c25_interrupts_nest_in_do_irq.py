"""Interrupts nest one in another, desc->lock held (Xen 3455cd598c, June 2019).

gic_interrupt acknowledges a pending interrupt, handles it, and comes back for the
next: a loop, so that they do not nest.  All interrupts of guests have one priority;
from the acknowledgement to the priority drop none of them comes through.  do_IRQ
drops it with desc->handler->end, early, and goes on to inject.

before  gic_interrupt enables interrupts before do_IRQ: as soon as pIRQ 64 has
        ended, pIRQ 65 interrupts it, desc[64] held, and so on with each pending
        line, a stack frame and a lock each.
after   Interrupts stay off: the loop takes the next.

That no interrupt waits for the lock of the one below, as lockdep would fear of such a
lock, is because an active interrupt does not come again: its inversion is unreachable.

Unlike Xen, an exception may also be taken when the GIC has nothing to signal; IAR
then says so, and it returns at once.
"""

import racebench as rb

TITLE = "Two interrupts of a guest are pending on one pCPU"
SOURCE = "gic.c: gic_interrupt, irq.c: do_IRQ @ 3455cd598c"
TAGS = ["history", "interrupt", "C25"]
EXPECT = {"before": ["lock.irqs_on", "lock_order.inversion"], "after": []}

SPURIOUS = 1023


class Pcpu(rb.State):
    """One processor and its GIC interface; nobody else uses them."""

    pending = rb.shared((64, 65))
    # No interrupt of a guest is signalled above this one.
    running_priority = rb.shared(None)
    # Evidence, not Xen's: the pIRQs whose do_IRQ is under way here, with its desc locked.
    in_do_IRQ = rb.shared(())
    inflight = rb.shared(())

    def __init__(self):
        self.desc_locks = {64: rb.Lock("desc", 64), 65: rb.Lock("desc", 65)}
        self.vcpu_lock = rb.Lock("vcpu", 0)

    def label(self):
        return "pcpu0"

    def read_irq(self):
        """Acknowledge the next one.  Xen: gic-v2.c, gicv2_read_irq @ 3455cd598c."""
        if self.running_priority is not None or not self.pending:
            return SPURIOUS
        irq, *rest = self.pending
        self.pending = tuple(rest)
        self.running_priority = irq
        return irq

    def gic_interrupt(self):
        """Enter with interrupts off.  Xen: gic.c, same @ 3455cd598c."""
        while (irq := self.read_irq()) != SPURIOUS:
            self.do_IRQ(irq)

    def do_IRQ(self, irq):
        """The interrupt of a guest.  Xen: irq.c, same @ 3455cd598c."""
        below = self.in_do_IRQ
        held = ", ".join(f"desc[{one}]" for one in below)
        depth = len(below) + 1
        message = f"pIRQ {irq} interrupts do_IRQ, which holds {held}: {depth} deep"
        rb.check_that(not below, "lock.irqs_on", message)
        with self.desc_locks[irq]:
            self.in_do_IRQ = (*below, irq)
            self.end()
            self.vgic_inject_irq(irq)
            self.in_do_IRQ = below

    def end(self):
        """The priority drop: others come through.  Xen: gic-v2.c, gicv2_guest_irq_end @ 3455cd598c."""
        self.running_priority = None

    def vgic_inject_irq(self, irq):
        """Xen: vgic.c, same @ 3455cd598c."""
        with self.vcpu_lock.irqsave():
            self.inflight = (*self.inflight, irq)


class Unmasked(Pcpu):
    def gic_interrupt(self):
        """Enter with interrupts off.  Xen: gic.c, same @ 3455cd598c^."""
        while (irq := self.read_irq()) != SPURIOUS:
            rb.irqs_on()
            self.do_IRQ(irq)
            rb.irqs_off()


def trap_irq(cpu):
    """The exception for pIRQ 64: it masks interrupts.  Xen: entry.S, guest_irq @ 3455cd598c."""
    rb.irqs_off()
    cpu.gic_interrupt()
    rb.irqs_on()


def trap_again(cpu):
    """The next exception, if interrupts are on.  Xen: entry.S, hyp_irq @ 3455cd598c."""
    cpu.gic_interrupt()


def both_injected(cpu, results):
    if cpu.inflight == (64, 65):
        return None
    return rb.broken("list.corrupted", f"inflight is {cpu.inflight}", ("inflight",))


def variants():
    def program(pcpu):
        return rb.Program(
            "nesting",
            setup=pcpu,
            threads={"pcpu0": trap_irq},
            interrupts={"irq": ("pcpu0", trap_again)},
            check=both_injected,
        )

    return {"before": program(Unmasked), "after": program(Pcpu)}
