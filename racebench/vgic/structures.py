"""What a vGIC keeps for a domain, as far as those who do not run it must know.

Xen is built with one of two vGICs.  Each has structures of its own for a vIRQ
and a vCPU; a protocol names its ``Structures``, and the builder, the audits and
the snapshot speak to them only through this class.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..primitives import State
from .state import Domain, IrqDesc, Machine, Vcpu


class VirqRow(NamedTuple):
    """One vIRQ at rest, in words that hold for either vGIC.

    ``desc`` is what it points at, NULL if it is not routed.  ``enabled`` is
    what the vGIC acts on, ``ienable`` what the guest reads.  ``on`` is the vCPU
    on whose list it is, ``target`` the one it is meant for; NULL if there is
    none.  ``displaced``: it is on another list than its target's, and nothing
    is going to move it.  ``settled``: its line's affinity is final, so it is to
    be that of ``target``.  ``stranded``: it is to be delivered, and nothing is due that would.
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
    """Makes a vGIC's structures and reads them at rest; takes no lock, ever."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def domain(self, domain_id: int, vcpus: int, nr_spis: int) -> Domain:
        """A domain that no thread has touched, without vIRQs."""
        raise NotImplementedError

    def name_virq(self, d: Domain, virq: int) -> None:
        """Make what ``d``, whose flags are set, keeps for ``virq``."""
        raise NotImplementedError

    def route_at_start(self, d: Domain, virq: int, desc: IrqDesc, enabled: bool) -> None:
        """Leave behind what route, and ISENABLER if ``enabled``, would in the vGIC."""
        raise NotImplementedError

    def enable_at_start(self, d: Domain, virq: int) -> None:
        """Leave behind what ISENABLER would in the vGIC."""
        raise NotImplementedError

    def aim_at_start(self, d: Domain, virq: int, v: Vcpu) -> None:
        """Leave behind what ITARGETSR would in the vGIC, for a vIRQ that is not inflight."""
        raise NotImplementedError

    def make_pending(self, v: Vcpu, virq: int, where: str, active: bool = False) -> None:
        """Leave behind what an interrupt for ``v`` would.

        ``where`` is "lr_pending" (waits for an LR), "lr" (is in one) or
        "inflight" (came while it was disabled); ``active``: the guest has taken
        it from its LR.
        """
        raise NotImplementedError

    def migrate_at_start(self, d: Domain, virq: int) -> None:
        """Leave behind what ITARGETSR would of a vIRQ that is in an LR."""
        raise NotImplementedError

    def states(self, d: Domain) -> Iterator[State]:
        """Every object of ``d`` whose fields threads can change."""
        raise NotImplementedError

    def tables(self, d: Domain) -> list[dict[int, Any]]:
        """What grows when a thread makes one more of the objects that ``states`` yields."""
        raise NotImplementedError

    def desc_of(self, d: Domain, virq: int) -> IrqDesc:
        """What ``virq`` points at, NULL if it is not routed."""
        raise NotImplementedError

    def row(self, d: Domain, virq: int) -> VirqRow:
        """``virq`` as it is now."""
        raise NotImplementedError

    def rows(self, d: Domain) -> list[VirqRow]:
        """One row for each vIRQ that ``d`` has been asked about, in no order."""
        raise NotImplementedError

    def gone(self, d: Domain, virq: int) -> bool:
        """Whether ``virq`` is where nobody who has it could ever end it."""
        raise NotImplementedError

    def waits(self, d: Domain, virq: int) -> bool:
        """Whether ``virq`` is in no LR, but will be put into one."""
        raise NotImplementedError

    def disagreement(self, d: Domain, virq: int) -> str:
        """Where lists and links contradict one another about ``virq``; empty if nowhere."""
        raise NotImplementedError

    def status(self, d: Domain, virq: int) -> list[str]:
        """The bits of ``virq`` that are set, by name."""
        raise NotImplementedError

    def queues(self, v: Vcpu) -> dict[str, list[Any]]:
        """The vIRQs of each of ``v``'s lists, and those in its LRs, by the list's name."""
        raise NotImplementedError
