"""The functions that Xen's files call in one another: their header files.

Each is defined in the mixin of the Xen file it lives in, with its contract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..findings import broken
from .state import NULL, Domain, IrqDesc, IrqType, Machine, PendingIrq, RankIrq, Vcpu

if TYPE_CHECKING:
    from typing import Protocol as Interface
else:
    # At run time a Protocol of typing gives each derived class a function that nobody wrote.
    Interface = object


class Header(Interface):
    """The base of every mixin: a machine, and the functions of the other files.

    ``irq_desc``, ``pending_irq`` and ``rank_irq`` are the State classes that the
    protocol wants: one whose none handler ends IRQs, one with a lock of its own,
    one with an atomic priority.  ``domain_type`` has the structures of its vGIC.
    """

    machine: Machine
    domain_type: type[Domain] = Domain
    irq_desc: type[IrqDesc] = IrqDesc
    pending_irq: type[PendingIrq] = PendingIrq
    rank_irq: type[RankIrq] = RankIrq

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def fault(self, rule: str, message: str, field: str) -> None:
        """Record that ``rule`` is broken while the machine goes on; the check reports it at the end."""
        faults = self.machine.faults
        faults.found = (*faults.found, broken(rule, message, (field,)))

    def check_active(self, desc: IrqDesc, what: str) -> None:
        """Check that the line is active: an LR with its HW bit set ends it, which needs an active line."""
        if desc.line is not NULL and not desc.line.active:
            message = f"{what} as pIRQ {desc.irq}, whose line is not active"
            self.fault("lr.hw_inactive", message, "LR.HW")

    def check_owner(self, desc: IrqDesc, d: Domain, virq: int, what: str) -> None:
        """Check that ``desc``, which is being ended for ``virq``, still belongs to that vIRQ."""
        line = desc.line
        if line is not NULL and line.changes_owner and line.owner not in (None, (d.domain_id, virq)):
            message = f"{what}, of pIRQ {desc.irq} for vIRQ {virq}, whose pIRQ it is no longer"
            self.fault("irq.wrong_owner", message, "desc.action")

    # irq.c
    def irq_to_desc(self, irq: int) -> IrqDesc: ...

    def irq_type_set_by_domain(self, d: Domain) -> bool: ...

    def irq_set_affinity(self, desc: IrqDesc, pcpu: int) -> None: ...

    def release_guest_irq(self, d: Domain, virq: int) -> int: ...

    def release_desc(self, d: Domain, virq: int, desc: IrqDesc) -> int: ...

    def route_irq_to_guest(self, d: Domain, virq: int, irq: int) -> int: ...

    # gic.c
    def gic_set_irq_type(self, desc: IrqDesc, irq_type: IrqType) -> None: ...

    def gic_set_active_state(self, desc: IrqDesc, active: bool) -> None: ...

    def gic_set_pending_state(self, desc: IrqDesc, pending: bool) -> None: ...

    def gic_read_pending_state(self, desc: IrqDesc) -> bool: ...

    def gic_route_irq_to_xen(self, desc: IrqDesc, priority: int) -> None: ...

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int: ...

    def gic_remove_irq_from_guest(self, d: Domain, virq: int, desc: IrqDesc) -> int: ...

    # gic.c, list registers
    def gic_remove_from_queues(self, v: Vcpu, virq: int) -> None: ...

    def gic_raise_guest_irq(self, v: Vcpu, p: PendingIrq, current: Vcpu | None = None) -> None: ...

    def gic_update_one_lr(self, v: Vcpu, i: int) -> None: ...

    def gic_clear_lrs(self, v: Vcpu) -> bool: ...

    def guest_hweoi(self, d: Domain, virq: int, vcpu: int | None = None) -> Vcpu | None: ...

    def gic_clear_pending_irqs(self, v: Vcpu) -> None: ...

    # vgic.c
    def vgic_is_valid_line(self, d: Domain, virq: int) -> bool: ...

    def vgic_is_spi(self, d: Domain, virq: int) -> bool: ...

    def vcpu_kick(self, v: Vcpu) -> None: ...

    def vgic_get_target_vcpu(self, v: Vcpu, virq: int) -> Vcpu: ...

    def vgic_migrate_irq(self, old: Vcpu, new: Vcpu, virq: int) -> bool: ...

    def vgic_enable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None: ...

    def vgic_disable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None: ...

    def vgic_clear_pending_irqs(self, v: Vcpu) -> None: ...

    def vgic_vcpu_inject_spi(self, d: Domain, virq: int, current: Vcpu | None = None) -> None: ...

    def arch_move_irqs(self, v: Vcpu) -> None: ...

    # irq.c, for the hardware
    def do_IRQ(self, irq: int, current: Vcpu | None = None) -> None: ...
