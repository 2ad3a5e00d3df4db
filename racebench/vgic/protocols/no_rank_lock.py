"""RFC 01/10 alone: the rank lock is dropped from the two routing functions.

Lock order: desc -> rank (do_IRQ for the priority), desc -> vcpu, rank -> vcpu,
rank -> desc.  Route and release take desc only, so nothing orders two routes
of one vIRQ that come through different descs.
"""

from __future__ import annotations

from ..domain import Protocol
from ..state import Domain, IrqDesc, spi_to_pending


class NoRankLock(Protocol):
    """desc.lock alone guards the mapping."""

    ID = "no_rank_lock"
    SUMMARY = "RFC 01/10: no rank lock in the two routing functions"
    PHRASE = "without the rank lock"

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int:
        """As at baseline, with desc.lock held and no other lock taken.

        Xen: gic.c, gic_route_irq_to_guest, RFC 01/10 of 8 May 2017.
        """
        return self.map_irq(d, spi_to_pending(d, virq), desc, priority)

    def gic_remove_irq_from_guest(self, d: Domain, virq: int, desc: IrqDesc) -> int:
        """As at baseline, with desc.lock held and no other lock taken.

        Xen: gic.c, gic_remove_irq_from_guest, RFC 01/10 of 8 May 2017.
        """
        p = spi_to_pending(d, virq)
        self.assert_mapped(p, desc)
        return self.unmap_irq(d, p, desc)
