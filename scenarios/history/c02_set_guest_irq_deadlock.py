"""An interrupt wants the gic.lock that its own CPU holds (Xen 0ddaefffbf, February 2014).

The guest disables an interrupt: gic_remove_from_queues takes gic.lock on CPU 0
and leaves interrupts on.  A physical interrupt comes to CPU 0 there, do_IRQ
injects it, gic_set_guest_irq wants gic.lock: CPU 0 waits for itself, and then
so does every other CPU that injects.  The fix masks interrupts in both places.

Unlike Xen, the injection from a softirq on CPU 1 and the one from do_IRQ differ
in their vIRQ only.
"""

import racebench as rb

TITLE = "A physical interrupt comes between gic.lock and its release"
SOURCE = "gic.c: gic_set_guest_irq, gic_remove_from_queues @ 0ddaefffbf"
TAGS = ["history", "interrupt", "C2"]
EXPECT = {"before": ["deadlock.self", "lock_order.inversion"], "after": []}

VIRQ_DISABLED, VIRQ_IRQ, VIRQ_SOFTIRQ = 40, 41, 42


class Gic(rb.State):
    lr_pending = rb.shared(())

    def __init__(self):
        self.lock = rb.Lock("gic")
        self.lr_pending = (VIRQ_DISABLED,)

    def hold(self):
        """spin_lock_irqsave(&gic.lock).  Xen: gic.c @ 0ddaefffbf."""
        return self.lock.irqsave()


class Unmasked(Gic):
    def hold(self):
        """spin_lock(&gic.lock): interrupts stay on.  Xen: gic.c @ 0ddaefffbf^."""
        return self.lock


def gic_remove_from_queues(gic, virq):
    """Take ``virq`` off lr_pending.  Xen: gic.c, gic_remove_from_queues @ 0ddaefffbf."""
    with gic.hold():
        gic.lr_pending = tuple(v for v in gic.lr_pending if v != virq)


def gic_set_guest_irq(gic, virq):
    """Queue ``virq`` for a list register.  Xen: gic.c, gic_set_guest_irq @ 0ddaefffbf."""
    with gic.hold():
        gic.lr_pending = (*gic.lr_pending, virq)


def vgic_disable_irqs(gic):
    """The guest writes ICENABLER.  Xen: vgic.c, vgic_disable_irqs @ 0ddaefffbf."""
    gic_remove_from_queues(gic, VIRQ_DISABLED)


def do_IRQ(gic):
    """The line is the guest's: inject.  Xen: irq.c, do_IRQ @ 0ddaefffbf."""
    gic_set_guest_irq(gic, VIRQ_IRQ)


def softirq(gic):
    """A timer's softirq injects on CPU 1.  Xen: vgic.c, vgic_vcpu_inject_irq @ 0ddaefffbf."""
    gic_set_guest_irq(gic, VIRQ_SOFTIRQ)


def all_queued(gic, results):
    if set(gic.lr_pending) == {VIRQ_IRQ, VIRQ_SOFTIRQ}:
        return None
    return rb.broken("list.corrupted", f"lr_pending is {gic.lr_pending}", ("lr_pending",))


def variants():
    def program(state):
        return rb.Program(
            "set_guest_irq",
            setup=state,
            threads={"cpu0": vgic_disable_irqs, "cpu1": softirq},
            interrupts={"irq": ("cpu0", do_IRQ)},
            check=all_queued,
        )

    return {"before": program(Unmasked), "after": program(Gic)}
