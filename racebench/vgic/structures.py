"""The structures of a vGIC, as far as other parts of the model need them.

Xen is built with one of two vGICs.  Each has structures of its own for a vIRQ
and a vCPU; a protocol names its ``Structures``, and the builder, the audits and
the snapshot use them only through this class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..primitives import State
from .state import Domain, IrqDesc, Machine, Vcpu


class VirqRow(NamedTuple):
    """One vIRQ at rest, in terms that hold for either vGIC.

    ``desc`` is the desc to which it points, NULL if it is not routed.  ``enabled`` is
    the bit that the vGIC obeys, ``ienable`` the one that the guest reads.  ``on`` is the vCPU
    on whose list it is, ``target`` the one that should get it; NULL if there is
    none.  ``displaced``: it is on another list than its target's, and nothing
    will move it.  ``settled``: its line's affinity is final, so it should
    be that of ``target``.  ``stranded``: it should be delivered, and nothing will do that.
    """

    d: Domain
    virq: int
    desc: IrqDesc
    enabled: bool
    ienable: bool
    on: Vcpu
    target: Vcpu
    displaced: bool
    settled: bool
    stranded: bool


class Structures:
    """Makes a vGIC's structures and reads them at rest; never takes a lock."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def domain(self, domain_id: int, vcpus: int, nr_spis: int) -> Domain:
        """A domain that no thread has touched, without vIRQs."""
        raise NotImplementedError

    def name_virq(self, d: Domain, virq: int) -> None:
        """Make the objects of ``d``, whose flags are set, for ``virq``."""
        raise NotImplementedError

    def route_at_start(self, d: Domain, virq: int, desc: IrqDesc, enabled: bool) -> None:
        """Set the state that route, and ISENABLER if ``enabled``, would leave in the vGIC."""
        raise NotImplementedError

    def enable_at_start(self, d: Domain, virq: int) -> None:
        """Set the state that ISENABLER would leave in the vGIC."""
        raise NotImplementedError

    def aim_at_start(self, d: Domain, virq: int, v: Vcpu) -> None:
        """Set the state that ITARGETSR would leave in the vGIC, for a vIRQ that is not inflight."""
        raise NotImplementedError

    def make_pending(self, v: Vcpu, virq: int, where: str, active: bool = False) -> None:
        """Set the state that an interrupt for ``v`` would leave.

        ``where`` is "lr_pending" (waits for an LR), "lr" (is in one) or
        "inflight" (came while it was disabled); ``active``: the guest has taken
        it from its LR.
        """
        raise NotImplementedError

    def migrate_at_start(self, d: Domain, virq: int) -> None:
        """Set the state that ITARGETSR would leave for a vIRQ that is in an LR."""
        raise NotImplementedError

    def states(self, d: Domain) -> Iterator[State]:
        """Every object of ``d`` whose fields threads can change."""
        raise NotImplementedError

    def tables(self, d: Domain) -> list[dict[int, Any]]:
        """The tables that grow when a thread makes another of the objects that ``states`` yields."""
        raise NotImplementedError

    def desc_of(self, d: Domain, virq: int) -> IrqDesc:
        """The desc to which ``virq`` points, NULL if it is not routed."""
        raise NotImplementedError

    def row(self, d: Domain, virq: int) -> VirqRow:
        """The present state of ``virq``."""
        raise NotImplementedError

    def rows(self, d: Domain) -> list[VirqRow]:
        """One row for each vIRQ of ``d`` that was ever used, in no order."""
        raise NotImplementedError

    def gone(self, d: Domain, virq: int) -> bool:
        """Whether ``virq`` is in no place in which it could still be ended."""
        raise NotImplementedError

    def waits(self, d: Domain, virq: int) -> bool:
        """Whether ``virq`` is in no LR, but will be put into one."""
        raise NotImplementedError

    def disagreement(self, d: Domain, virq: int) -> str:
        """Where lists and links disagree about ``virq``; empty if nowhere."""
        raise NotImplementedError

    def status(self, d: Domain, virq: int) -> list[str]:
        """The bits of ``virq`` that are set, by name."""
        raise NotImplementedError

    def queues(self, v: Vcpu) -> dict[str, list[Any]]:
        """The vIRQs of each of ``v``'s lists, and of its LRs, by the list's name."""
        raise NotImplementedError
