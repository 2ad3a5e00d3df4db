"""A callee's spin_unlock_irq switches on interrupts that its caller had off (Xen 9a4824d203, 2013).

vgic_vcpu_inject_irq holds the vCPU's lock with interrupts off and calls
gic_set_guest_irq, which takes gic.lock with spin_lock_irq.  Its unlock switches
interrupts on, whatever they were: the caller still holds its lock.  The next
interrupt on this CPU injects too, and wants that lock.  With irqsave the callee
puts back what it found.
"""

import racebench as rb

TITLE = "gic_set_guest_irq leaves its caller's critical section open to interrupts"
SOURCE = "gic.c: gic_set_guest_irq @ 9a4824d203"
TAGS = ["history", "interrupt", "C3"]
EXPECT = {"before": ["deadlock.self", "lock_order.inversion"], "after": []}

VIRQ_SOFTIRQ, VIRQ_IRQ = 27, 41


class Vgic(rb.State):
    lr_pending = rb.shared(())
    inflight_irqs = rb.shared(())

    def __init__(self):
        self.gic_lock = rb.Lock("gic")
        self.lock = rb.Lock("vcpu", 0)


def gic_set_guest_irq_unmasking(v, virq):
    """Queue ``virq``; interrupts are on after.  Xen: gic.c, gic_set_guest_irq @ 9a4824d203^."""
    with v.gic_lock.irq():
        v.lr_pending = (*v.lr_pending, virq)


def gic_set_guest_irq(v, virq):
    """Queue ``virq``.  Xen: gic.c, gic_set_guest_irq @ 9a4824d203."""
    with v.gic_lock.irqsave():
        v.lr_pending = (*v.lr_pending, virq)


def vgic_vcpu_inject_irq(v, virq, set_guest_irq):
    """Make ``virq`` pending.  Xen: vgic.c, vgic_vcpu_inject_irq @ 9a4824d203."""
    with v.lock.irqsave():
        set_guest_irq(v, virq)
        v.inflight_irqs = (*v.inflight_irqs, virq)


def both_lists_agree(v, results):
    if sorted(v.lr_pending) == sorted(v.inflight_irqs):
        return None
    message = f"lr_pending {v.lr_pending}, inflight {v.inflight_irqs}"
    return rb.broken("list.corrupted", message, ("lr_pending", "inflight"))


def variants():
    def program(set_guest_irq):
        def softirq(v):
            """A softirq injects.  Xen: vgic.c, vgic_vcpu_inject_irq @ 9a4824d203."""
            vgic_vcpu_inject_irq(v, VIRQ_SOFTIRQ, set_guest_irq)

        def do_IRQ(v):
            """The line is the guest's: inject.  Xen: irq.c, do_IRQ @ 9a4824d203."""
            vgic_vcpu_inject_irq(v, VIRQ_IRQ, set_guest_irq)

        return rb.Program(
            "unlock_irq",
            setup=Vgic,
            threads={"cpu0": softirq},
            interrupts={"irq": ("cpu0", do_IRQ)},
            check=both_lists_agree,
        )

    return {"before": program(gic_set_guest_irq_unmasking), "after": program(gic_set_guest_irq)}
