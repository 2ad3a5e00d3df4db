"""RFC 01/10 with claim K7: routing only before the domain runs, removal only while it dies.

Lock order: as no_rank_lock: desc -> rank (do_IRQ), desc -> vcpu, rank -> vcpu,
rank -> desc.  The two flags are read under desc.lock, which does not guard them.
"""

from __future__ import annotations

from errno import EBUSY

from ..state import Domain, IrqDesc
from .no_rank_lock import NoRankLock


class NoRankLockGuard(NoRankLock):
    """The guard excludes routing while the guest runs, but not other routing."""

    ID = "no_rank_lock_guard"
    SUMMARY = "RFC 01/10 + K7: route only before creation_finished, release only if is_dying"
    PHRASE = "with guards in place of the rank lock"

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int:
        """-EBUSY once the domain runs.  Enter with desc.lock held.

        Xen: gic.c, gic_route_irq_to_guest, as claim K7 proposes.
        """
        if d.creation_finished:
            return -EBUSY
        return super().gic_route_irq_to_guest(d, virq, desc, priority)

    def stop_for_removal(self, d: Domain, desc: IrqDesc) -> int:
        """-EBUSY unless the domain dies.  Enter with desc.lock held.

        Xen: in gic.c, gic_remove_irq_from_guest, as claim K7 proposes.
        """
        if not d.is_dying:
            return -EBUSY
        self.shutdown_and_deactivate(desc)
        return 0
