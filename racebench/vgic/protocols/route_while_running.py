"""The tree of 1c77496bc8 (2024): the route half of the guard is dropped again.

Lock order: as connect_hw_irq: desc -> rank, desc -> vcpu, rank -> vcpu,
rank -> desc.  Connecting also refuses a vIRQ that is VISIBLE or ACTIVE.
That tree has 8aa276235b and f83a02eb81 (2019) too: an interrupt without an
owner is ended, and Xen's own is never pending a second time.
"""

from __future__ import annotations

from ..state import NULL, Domain, EndingIrqDesc, IrqDesc, PendingIrq, Vcpu
from .connect_hw_irq import ConnectHwIrq
from .creation_guard import CreationGuard


class RouteWhileRunning(CreationGuard):
    """Routing at any time, removal only while the domain dies."""

    ID = "route_while_running"
    SUMMARY = "1c77496bc8: routing at any time, refused if VISIBLE or ACTIVE; release only if is_dying"

    irq_desc = EndingIrqDesc

    def do_IRQ(self, irq: int, current: Vcpu | None = None) -> None:
        """As at baseline, but without PENDING.  Takes and drops desc.lock, for Xen's own twice.

        Xen tests for an action in a debug build only, as this is one (d48ef111c7).
        Xen: irq.c, do_IRQ @ f83a02eb81.
        """
        desc = self.irq_to_desc(irq)
        with desc.lock:
            desc.handler.ack(desc)
            if desc.action is NULL:
                desc.handler.end(desc)
                return
            if desc.GUEST:
                self.do_guest_irq(desc, current)
                return
            if desc.DISABLED:
                desc.handler.end(desc)
                return
            desc.INPROGRESS = True
        # Xen's own handler runs here, without the lock.
        with desc.lock:
            desc.INPROGRESS = False
            desc.handler.end(desc)

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
