"""Claim K8: the domain's vgic lock around the whole of route and release.

Lock order: dom -> desc (route, release), desc -> vcpu (do_IRQ), rank -> vcpu
and rank -> desc (enable, disable).  Routes and releases exclude one another;
register writes do not take dom, so nothing excludes them.
"""

from __future__ import annotations

from ..state import Domain
from .no_rank_lock_lockfree import NoRankLockLockfree


class DomainLock(NoRankLockLockfree):
    """One route or release of a domain at a time."""

    ID = "domain_lock"
    SUMMARY = "K8: the domain lock, outermost, around route and release; no rank lock there"
    PHRASE = "with the domain lock in place of the rank lock"

    def route_irq_to_guest(self, d: Domain, virq: int, irq: int) -> int:
        """As at baseline, all of it under d's vgic lock.

        Xen: irq.c, route_irq_to_guest, with claim K8's lock.
        """
        with d.lock:
            return super().route_irq_to_guest(d, virq, irq)

    def release_guest_irq(self, d: Domain, virq: int) -> int:
        """As at baseline, all of it under d's vgic lock, the spin at its end too.

        Xen: irq.c, release_guest_irq, with claim K8's lock.
        """
        with d.lock:
            return super().release_guest_irq(d, virq)
