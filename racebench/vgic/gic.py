"""gic.c: pointing a vIRQ at a pIRQ and back.

Lock order: desc (the caller's), then rank.
Guarantees: p.desc, handler and GUEST change together, under both locks.
Assumes: desc.lock is held on entry.

Each function is a shell that takes the locks around a body in a function of
its own, so that a protocol with other locks shares the body.
"""

from __future__ import annotations

from errno import EBUSY

from ..primitives import check_that
from .desc import GIC_GUEST_IRQ_TYPE, GIC_HOST_IRQ_TYPE, deactivate
from .header import Header
from .state import NULL, Domain, IrqDesc, IrqType, PendingIrq, irq_to_pending, vgic_rank_irq


class Gic(Header):
    """gic.c @ baf2950213, the part about routing."""

    def gic_set_irq_type(self, desc: IrqDesc, irq_type: IrqType) -> None:
        """Configure the line.  Enter with desc.lock held and the line disabled.

        Xen: gic.c, gic_set_irq_type @ baf2950213.
        """
        check_that(desc.DISABLED, "crash.assertion", "gic_set_irq_type: _IRQ_DISABLED is clear")
        check_that(desc.lock.locked(), "crash.assertion", "gic_set_irq_type: desc->lock is not held")
        check_that(
            irq_type is not IrqType.INVALID, "crash.assertion", "gic_set_irq_type: type is IRQ_TYPE_INVALID"
        )
        desc.type = irq_type

    def gic_set_active_state(self, desc: IrqDesc, active: bool) -> None:
        """Make the line active, or inactive.  Enter with desc.lock held.

        Xen: gic.h, gic_set_active_state, and gic-v2.c, gicv2_set_active_state @ c447b7308b.
        """
        check_that(desc.GUEST, "crash.assertion", "gic_set_active_state: _IRQ_GUEST is clear")
        check_that(desc.lock.locked(), "crash.assertion", "gicv2_set_active_state: desc->lock is not held")
        desc.INPROGRESS = active
        if desc.line is not NULL:
            desc.line.active = active

    def gic_set_pending_state(self, desc: IrqDesc, pending: bool) -> None:
        """Set or clear the line's latch.  INPROGRESS stays.  Enter with desc.lock held.

        Xen: gic.h, gic_set_pending_state, and gic-v2.c, gicv2_set_pending_state @ c447b7308b.
        """
        check_that(desc.lock.locked(), "crash.assertion", "gicv2_set_pending_state: desc->lock is not held")
        if desc.line is not NULL:
            desc.line.latched = pending

    def gic_read_pending_state(self, desc: IrqDesc) -> bool:
        """Whether the line is pending.  Unlike Xen, only the latch is kept, not what a device asserts.

        Xen: gic.h, gic_read_pending_state @ c447b7308b.
        """
        return desc.line is not NULL and desc.line.latched

    def gic_route_irq_to_xen(self, desc: IrqDesc, priority: int) -> None:
        """Make ``desc`` Xen's own.  Enter with desc.lock held and the line disabled.

        Xen: gic.c, gic_route_irq_to_xen @ baf2950213.
        """
        check_that(desc.DISABLED, "crash.assertion", "gic_route_irq_to_xen: _IRQ_DISABLED is clear")
        check_that(desc.lock.locked(), "crash.assertion", "gic_route_irq_to_xen: desc->lock is not held")
        desc.handler = GIC_HOST_IRQ_TYPE
        self.gic_set_irq_type(desc, desc.type)
        desc.priority = priority

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int:
        """Point ``virq`` at ``desc``; 0, or -EBUSY if it is routed or enabled already.

        Enter with desc.lock held; takes and drops the rank lock.  Neither
        enables the line nor sets its affinity.
        Xen: gic.c, gic_route_irq_to_guest @ baf2950213.
        """
        v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
        rank = vgic_rank_irq(v_target, virq)
        p = irq_to_pending(v_target, virq)
        check_that(desc.lock.locked(), "crash.assertion", "gic_route_irq_to_guest: desc->lock is not held")
        with rank.lock:
            return self.map_irq(d, p, desc, priority)

    def map_irq(self, d: Domain, p: PendingIrq, desc: IrqDesc, priority: int) -> int:
        """The part of gic_route_irq_to_guest under the rank lock: test, then set all."""
        if p.desc is not NULL or p.ENABLED:
            return -EBUSY
        self.give_to_guest(d, desc, priority)
        p.desc = desc
        return 0

    def give_to_guest(self, d: Domain, desc: IrqDesc, priority: int) -> None:
        """The desc's half of routing.  Enter with desc.lock held."""
        desc.handler = GIC_GUEST_IRQ_TYPE
        desc.GUEST = True
        if not self.irq_type_set_by_domain(d):
            self.gic_set_irq_type(desc, desc.type)
        desc.priority = priority

    def gic_remove_irq_from_guest(self, d: Domain, virq: int, desc: IrqDesc) -> int:
        """Undo gic_route_irq_to_guest; 0, or -EBUSY if the line is in use.

        Enter with desc.lock held; takes and drops the rank lock.  Asserts that
        ``virq`` points at ``desc`` before it holds the rank lock.
        Xen: gic.c, gic_remove_irq_from_guest @ baf2950213.
        """
        v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
        rank = vgic_rank_irq(v_target, virq)
        p = irq_to_pending(v_target, virq)
        self.assert_mapped(p, desc)
        with rank.lock:
            return self.unmap_irq(d, p, desc)

    def assert_mapped(self, p: PendingIrq, desc: IrqDesc) -> None:
        """The assertions with which gic_remove_irq_from_guest begins."""
        check_that(desc.lock.locked(), "crash.assertion", "gic_remove_irq_from_guest: desc->lock is not held")
        check_that(desc.GUEST, "crash.assertion", "gic_remove_irq_from_guest: _IRQ_GUEST is clear")
        check_that(p.desc is desc, "crash.assertion", "gic_remove_irq_from_guest: p->desc is not desc")

    def unmap_irq(self, d: Domain, p: PendingIrq, desc: IrqDesc) -> int:
        """The part of gic_remove_irq_from_guest under the rank lock."""
        ret = self.stop_for_removal(d, desc)
        if ret:
            return ret
        desc.GUEST = False
        desc.handler = desc.no_irq_type
        p.desc = NULL
        return 0

    def stop_for_removal(self, d: Domain, desc: IrqDesc) -> int:
        """0 with the line at rest, or -EBUSY if it may not be stopped.

        Enter with desc.lock held.
        """
        if d.is_dying:
            self.shutdown_and_deactivate(desc)
            return 0
        return -EBUSY if desc.INPROGRESS or not desc.DISABLED else 0

    def shutdown_and_deactivate(self, desc: IrqDesc) -> None:
        """Stop the line, and end its interrupt for the guest if that has not.

        Enter with desc.lock held.
        """
        desc.handler.shutdown(desc)
        if desc.line is not NULL and desc.INPROGRESS:
            deactivate(desc)
        desc.INPROGRESS = False
