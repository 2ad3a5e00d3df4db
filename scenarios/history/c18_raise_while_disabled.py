"""A disabled interrupt that fires twice is looked up in a list register (Xen c84e4b2dd4, XSA-223, 2017).

An interrupt that comes while it is disabled is put on the inflight list, but in
no list register and not on lr_pending.  If it comes again, on the CPU that runs
its vCPU, gic_raise_inflight_irq takes "not on lr_pending" for "in a list
register" and looks at number p->lr.  That is 0 if it never was in one:

before       Register 0 is empty, which reads as vIRQ 0, not pending: Xen takes
             SGI 0 for ended, while the guest has it in register 1.
before_255   It was in one and left: p->lr is GIC_INVALID_LR, 255, and there is
             no such register.  GICv3 stops Xen, GICv2 reads beyond the GIC.
after, after_255
             gic_raise_inflight_irq does nothing for a disabled interrupt.

No race is needed: a guest that disables its own interrupt and raises it twice
crashes the host.  Here another vCPU disables it, at any moment.

Unlike Xen, ICENABLER clears ENABLED before it takes the vCPU's lock, as it did
until 5f66da6590, a week before.
"""

import racebench as rb
from racebench import vgic
from racebench.vgic.audits import audit
from racebench.vgic.hardware import ListRegister
from racebench.vgic.program import MachineBuilder
from racebench.vgic.state import NR_LRS

TITLE = "A vIRQ fires twice on its vCPU's CPU while another vCPU disables it"
SOURCE = "gic.c: gic_raise_inflight_irq @ c84e4b2dd4"
TAGS = ["history", "injection", "C18"]
EXPECT = {
    "before": ["list.corrupted"],
    "before_255": ["crash.assertion"],
    "after": [],
    "after_255": [],
}

SGI, VIRQ_ENDED, VIRQ = 0, 41, 40


class LooksAnyway(vgic.protocol("lockfree_priority")):
    """gic.c @ c84e4b2dd4^, with list registers as the hardware has them."""

    def update_lr_of(self, v, p):
        """Read register ``p.lr``, whatever it is.  Xen: gic.c, gic_update_one_lr @ c84e4b2dd4."""
        i = p.lr
        rb.check_that(
            i < NR_LRS, "crash.assertion", f"gicv3_ich_read_lr({i}): there is no such list register"
        )
        lrs = v.lrs
        # The zeroes of an empty register say: vIRQ 0, neither pending nor active.
        if lrs[i] is None:
            v.lrs = (*lrs[:i], ListRegister(SGI, pending=False), *lrs[i + 1 :])
        self.gic_update_one_lr(v, i)


class Looks(LooksAnyway):
    def gic_raise_inflight_irq(self, v, p, current=None):
        """Nothing if it is disabled.  Xen: gic.c, gic_raise_inflight_irq @ c84e4b2dd4."""
        if p.ENABLED:
            super().gic_raise_inflight_irq(v, p, current)


def first_register_empty(protocol):
    """vIRQ 41 has just left list register 0; SGI 0 is in register 1; vIRQ 40 was in none yet."""
    pending = ((VIRQ_ENDED, "lr"), (SGI, "lr"))
    initial = vgic.Initial(enabled=(SGI, VIRQ, VIRQ_ENDED), pending=pending)
    return _after_eoi(initial, VIRQ_ENDED, protocol)


def was_in_a_register(protocol):
    """vIRQ 40 was in list register 0, and the guest has ended it."""
    return _after_eoi(vgic.Initial(enabled=(VIRQ,), pending=((VIRQ, "lr"),)), VIRQ, protocol)


def _after_eoi(initial, virq, protocol):
    def setup():
        system = MachineBuilder(initial, {}, protocol).build()
        system.xen.guest_eoi(system.domain, virq)
        return system

    return setup


def raised_twice(system):
    """vIRQ 40 comes twice on the CPU that runs vcpu0.  Xen: vgic.c, vgic_vcpu_inject_irq @ c84e4b2dd4."""
    v = system.domain.vcpu[0]
    for _ in range(2):
        system.xen.vgic_vcpu_inject_irq(v, VIRQ, current=v)


def disabled(system):
    """vcpu1 writes ICENABLER.  Xen: vgic.c, vgic_disable_irqs @ c84e4b2dd4."""
    system.xen.write_icenabler(system.domain, (VIRQ,))


def registers_and_status_agree(system, results):
    """An interrupt is VISIBLE, and p->lr valid, exactly if it is in register p->lr."""
    yield from audit(system.machine)
    v = system.domain.vcpu[0]
    for lr, entry in enumerate(v.lrs):
        p = system.domain.pending_irqs[entry.virq] if entry else None
        if p and not (p.VISIBLE and p.lr == lr):
            message = (
                f"vIRQ {p.irq} is in list register {lr}, but p->lr is {p.lr}: "
                "gic_update_one_lr took an empty register for its end"
            )
            yield rb.broken("list.corrupted", message, ("LR", "VISIBLE"))


def variants():
    def program(setup):
        return rb.Program(
            "raise_while_disabled",
            setup=setup,
            threads={"cpu0": raised_twice, "vcpu1": disabled},
            check=registers_and_status_agree,
        )

    return {
        "before": program(first_register_empty(LooksAnyway)),
        "before_255": program(was_in_a_register(LooksAnyway)),
        "after": program(first_register_empty(Looks)),
        "after_255": program(was_in_a_register(Looks)),
    }
