"""do_IRQ takes the rank lock: three years, three shapes (Xen 489abfd46a, 446df2f733, 43208a9cb4).

before  489abfd46a (2014): to find the target vCPU, do_IRQ takes the rank lock,
        which register writes hold with interrupts on.  An interrupt to the CPU
        of such a write waits for its own CPU.  The priority is read with no
        lock, while IPRIORITYR writes change it.
mid     446df2f733 (2014): the rank lock masks interrupts, and the priority is
        read under it.  No CPU waits for itself any more; but do_IRQ holds
        desc->lock there, and ICENABLER takes desc->lock with the rank lock held.
        This is the tree of the thread: two CPUs can wait for one another.
after   43208a9cb4 (2017): target and priority are single reads; do_IRQ takes no
        rank lock at all.

Unlike Xen, ICENABLER takes effect under the rank lock in all three: 5b3a817ea3,
of the same series as the first, made it so.
"""

import racebench as rb

TITLE = "A physical interrupt reads the target and the priority of its vIRQ"
SOURCE = "vgic.c: vgic_get_target_vcpu, vgic_vcpu_inject_irq @ 489abfd46a, 446df2f733, 43208a9cb4"
TAGS = ["history", "interrupt", "C8"]
EXPECT = {
    "before": ["data_race", "deadlock.cycle", "deadlock.self", "lock_order.inversion"],
    "mid": ["deadlock.cycle", "lock_order.inversion"],
    "after": [],
}

PIRQ_CPU0, PIRQ_CPU1 = 64, 65


class Rank(rb.State):
    """vIRQs 40 and 41, hardware-mapped to pIRQs 64 and 65."""

    priority = rb.shared(0xA0)
    target = rb.shared(0)

    def __init__(self):
        self.lock = rb.Lock("rank", 1)
        self.desc = {pirq: rb.Lock("desc", pirq) for pirq in (PIRQ_CPU0, PIRQ_CPU1)}

    def vgic_lock_rank(self):
        """Xen: vgic.c, vgic_lock_rank (irqsave) @ 446df2f733."""
        return self.lock.irqsave()

    def target_and_priority(self):
        """Both under the rank lock.  Xen: vgic.c, vgic_vcpu_inject_irq @ 446df2f733."""
        with self.vgic_lock_rank():
            target = self.target
        with self.vgic_lock_rank():
            return target, self.priority


class NotMasked(Rank):
    def vgic_lock_rank(self):
        """Xen: vgic.c, vgic_lock_rank (spin_lock) @ 489abfd46a."""
        return self.lock

    def target_and_priority(self):
        """Only the target under it.  Xen: vgic.c, vgic_get_target_vcpu @ 489abfd46a."""
        with self.vgic_lock_rank():
            target = self.target
        return target, self.priority


class LockFree(Rank):
    priority = rb.shared(0xA0, atomic=True)
    target = rb.shared(0, atomic=True)

    def target_and_priority(self):
        """Single reads, no lock.  Xen: vgic.c, vgic_get_virq_priority @ 43208a9cb4."""
        return self.target, self.priority


def write_ipriorityr(rank):
    """Xen: vgic-v2.c, vgic_v2_distr_mmio_write, GICD_IPRIORITYR @ 446df2f733."""
    with rank.vgic_lock_rank():
        rank.priority = 0x80


def write_icenabler(rank):
    """Xen: vgic.c, vgic_disable_irqs under the rank lock @ 5b3a817ea3."""
    with rank.vgic_lock_rank():
        for lock in rank.desc.values():
            with lock.irqsave():
                pass


def mmio(rank):
    write_ipriorityr(rank)
    write_icenabler(rank)


def idle(rank):
    """A CPU that only takes interrupts."""


def do_IRQ(pirq):
    """Inject with desc->lock held.  Xen: irq.c, do_IRQ @ 446df2f733."""

    def do_IRQ(rank):
        with rank.desc[pirq]:
            rank.target_and_priority()

    return do_IRQ


def variants():
    def program(state):
        return rb.Program(
            "rank_lock_in_do_irq",
            setup=state,
            threads={"cpu0": mmio, "cpu1": idle},
            interrupts={"irq0": ("cpu0", do_IRQ(PIRQ_CPU0)), "irq1": ("cpu1", do_IRQ(PIRQ_CPU1))},
        )

    return {"before": program(NotMasked), "mid": program(Rank), "after": program(LockFree)}
