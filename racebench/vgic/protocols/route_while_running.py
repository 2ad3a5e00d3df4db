"""1c77496bc8 (2024): the route half of the guard is dropped again.

Lock order: as connect_hw_irq: desc -> rank, desc -> vcpu, rank -> vcpu,
rank -> desc.  Connecting also refuses a vIRQ that is VISIBLE or ACTIVE.
"""

from __future__ import annotations

from ..state import Domain, IrqDesc, PendingIrq
from .connect_hw_irq import ConnectHwIrq
from .creation_guard import CreationGuard


class RouteWhileRunning(CreationGuard):
    """Routing at any time, removal only while the domain dies."""

    ID = "route_while_running"
    SUMMARY = "1c77496bc8: routing at any time, refused if VISIBLE or ACTIVE; release only if is_dying"

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int:
        """As connect_hw_irq.  Enter with desc.lock held.

        Xen: gic.c, gic_route_irq_to_guest @ 1c77496bc8.
        """
        return ConnectHwIrq.gic_route_irq_to_guest(self, d, virq, desc, priority)

    def may_connect(self, p: PendingIrq) -> bool:
        """Also not while the guest still has it.  Enter with the rank lock held.

        Xen: gic-vgic.c, vgic_connect_hw_irq @ 1c77496bc8.
        """
        return super().may_connect(p) and not p.VISIBLE and not p.ACTIVE
