"""Xen as it is at c447b7308b, 20 August 2026, with its old vGIC.

Lock order: desc -> rank (route, release), desc -> vcpu and desc -> sched (do_IRQ),
rank -> vcpu, rank -> desc and rank -> sched (register writes).  caps, or domctl,
overlay and dt_host, come before all of them.  ISPENDR takes desc alone;
moves and the first reads of release and ISPENDR take nothing.

Functions that are not defined here are those of route_while_running, the tree of 2024:

- irq.c: route_irq_to_guest, release_guest_irq, release_irq, do_IRQ, no_irq_type;
- gic.c: gic_route_irq_to_guest, gic_remove_irq_from_guest, which tests
  is_dying before it writes anything;
- gic-vgic.c: vgic_connect_hw_irq, gic_set_lr, gic_raise_guest_irq,
  gic_raise_inflight_irq, gic_update_one_lr, gic_restore_pending_irqs;
- vgic.c: vgic_enable_irqs, vgic_disable_irqs, vgic_migrate_irq, vgic_inject_irq,
  vgic_set_irqs_pending, vgic_check_inflight_irqs_pending, arch_move_irqs,
  vgic_clear_pending_irqs, domain_vgic_free;
- vpsci.c: do_common_cpu_on.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

from ..state import ESPI_BASE_INTID, NR_ESPI_IRQS, NULL, Domain
from .route_while_running import RouteWhileRunning


class Head(RouteWhileRunning):
    """The callers have changed since 2024; there are extended SPIs."""

    ID = "head"
    SUMMARY = "the tree at c447b7308b (2026), its old vGIC: bind and unbind outside domctl_lock, eSPIs"
    TREE = "c447b7308b"

    ESPIS = True
    ABSENT: ClassVar[frozenset[str]] = frozenset()

    def hypercall_lock(self) -> AbstractContextManager[Any]:
        """The caller's caps_lock, for reading: it excludes no other bind or unbind.

        Xen: arch/arm/domctl.c, arch_do_domctl @ c447b7308b; e263eeaf71, 329edc090d.
        """
        return self.machine.host.caps_lock.read()

    def vgic_is_valid_line(self, d: Domain, virq: int) -> bool:
        """Also an extended SPI.  Xen: vgic.c, vgic_is_valid_line @ c447b7308b."""
        return super().vgic_is_valid_line(d, virq) or 0 <= virq - ESPI_BASE_INTID < d.nr_espis

    def is_assignable_irq(self, irq: int) -> bool:
        """Also an extended SPI.  Xen: irq.c, is_assignable_irq @ c447b7308b."""
        return super().is_assignable_irq(irq) or 0 <= irq - ESPI_BASE_INTID < NR_ESPI_IRQS

    def arch_domain_destroy(self, d: Domain) -> None:
        """The last reference to ``d`` is gone: free its vCPUs, the last one first, then its vGIC.

        No line is disabled before the vGIC is freed.
        Xen: common/domain.c, complete_domain_destroy @ c447b7308b.
        """
        for v in reversed(d.vcpu):
            if v.sched is not NULL:
                v.sched.unit = False
        super().arch_domain_destroy(d)
