"""A WARN inside a critical section lets interrupts in (Xen 61b683571f, 3ed885a887, October 2019: XSA-303).

WARN is an undefined instruction (a BRK on arm64): Xen traps to itself.  The vectors
for such traps unmask interrupts, whether or not the code that trapped had them off.
If it holds a lock that an interrupt takes too, one that comes while the message is
printed waits for a lock of its own CPU.  The return from the trap puts the mask back,
too late.

before  hyp_sync: msr daifclr.
after   hyp_sync takes the mask over from SPSR, the state that it interrupted.

Unlike Xen, which lock is held, and what is wrong there, is an example: any lock that
is shared with interrupts will do.
"""

import racebench as rb

TITLE = "A WARN goes off while the vCPU's lock is held with interrupts off"
SOURCE = "entry.S: hyp_sync, trap_undefined_instruction @ 61b683571f, 3ed885a887"
TAGS = ["history", "interrupt", "C26"]
EXPECT = {"before": ["deadlock.self", "lock_order.inversion"], "after": []}

VIRQ_SOFTIRQ, VIRQ_IRQ = 27, 40


class Vcpu(rb.State):
    inflight_irqs = rb.shared(())

    def __init__(self):
        self.lock = rb.Lock("vcpu", 0)

    def label(self):
        return "vcpu[0]"

    def hyp_sync(self):
        """The trap out of Xen's own code.  Xen: arm64/entry.S, hyp_sync @ 3ed885a887."""
        do_trap_hyp_sync()


class Unmasks(Vcpu):
    def hyp_sync(self):
        """The return puts SPSR back.  Xen: arm64/entry.S, hyp_sync @ 3ed885a887^."""
        masked = not rb.irqs_enabled()
        rb.irqs_on()
        do_trap_hyp_sync()
        if masked:
            rb.irqs_off()


def do_trap_hyp_sync():
    """Print the message, and a backtrace.  Xen: traps.c, do_trap_hyp_sync, do_bug_frame @ 3ed885a887."""


def vgic_inject_irq(v, virq, warns):
    """Xen: vgic.c, vgic_inject_irq @ 3ed885a887."""
    with v.lock.irqsave():
        if warns:
            v.hyp_sync()
        v.inflight_irqs = (*v.inflight_irqs, virq)


def softirq(v):
    """A timer injects, and finds something odd.  Xen: vtimer.c, virt_timer_expired @ 3ed885a887."""
    vgic_inject_irq(v, VIRQ_SOFTIRQ, warns=True)


def do_IRQ(v):
    """The line is the guest's: inject.  Xen: irq.c, do_IRQ @ 3ed885a887."""
    vgic_inject_irq(v, VIRQ_IRQ, warns=False)


def both_inflight(v, results):
    if set(v.inflight_irqs) == {VIRQ_SOFTIRQ, VIRQ_IRQ}:
        return None
    return rb.broken("list.corrupted", f"inflight is {v.inflight_irqs}", ("inflight",))


def variants():
    def program(state):
        return rb.Program(
            "trap_unmasks",
            setup=state,
            threads={"cpu0": softirq},
            interrupts={"irq": ("cpu0", do_IRQ)},
            check=both_inflight,
        )

    return {"before": program(Unmasks), "after": program(Vcpu)}
