"""domain_lock, and the enable and disable register writes take the domain lock too.

Lock order: dom -> desc (route, release), dom -> rank -> vcpu and
dom -> rank -> desc (enable, disable), desc -> vcpu (do_IRQ).
"""

from __future__ import annotations

from ..state import Domain
from .domain_lock import DomainLock


class DomainLockMmio(DomainLock):
    """Every operation that changes a mapping or depends on one excludes all the others."""

    ID = "domain_lock_mmio"
    SUMMARY = "domain_lock, also around GICD_ISENABLER and GICD_ICENABLER writes"
    PHRASE = "with the domain lock around routing and register writes"

    def write_isenabler(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """As at baseline, under d's vgic lock.

        Xen: vgic-v2.c, vgic_v2_distr_mmio_write, with claim K8's lock.
        """
        with d.lock:
            super().write_isenabler(d, virqs)

    def write_icenabler(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """As at baseline, under d's vgic lock.

        Xen: vgic-v2.c, vgic_v2_distr_mmio_write, with claim K8's lock.
        """
        with d.lock:
            super().write_icenabler(d, virqs)
