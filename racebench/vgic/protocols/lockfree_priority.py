"""baseline with 43208a9cb4 (14 June 2017): the priority is read without the rank lock.

Lock order: desc -> rank (route, release), desc -> vcpu (do_IRQ), rank -> vcpu
and rank -> desc (enable, disable).  do_IRQ no longer takes the rank lock, and
ITARGETSR no longer takes it twice.
"""

from __future__ import annotations

from ..domain import Protocol
from ..state import INTERRUPT_RANK_MASK, AccessOnceRankIrq, Vcpu, vgic_rank_irq


class LockfreePriority(Protocol):
    """The priority is one access of one byte, both ways."""

    ID = "lockfree_priority"
    SUMMARY = "baseline + 43208a9cb4: priority read without the rank lock"
    PHRASE = "with a lock-free priority"

    rank_irq = AccessOnceRankIrq

    def vgic_get_virq_priority(self, v: Vcpu, virq: int) -> int:
        """The priority of ``virq``: one atomic read, no lock.

        Xen: vgic.c, vgic_get_virq_priority @ 43208a9cb4.
        """
        return vgic_rank_irq(v, virq).irq[virq & INTERRUPT_RANK_MASK].priority
