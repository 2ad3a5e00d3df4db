"""A lock per pending_irq instead of the rank lock around the mapping.

Lock order: rank -> p, rank -> desc -> p (enable, disable), desc -> p (route,
release), desc -> vcpu (do_IRQ), rank -> vcpu.  Nobody takes desc with p held.

A register write must take desc before p, but learns from p which desc: it
reads p.desc under p, drops p, takes desc, takes p again and checks that p.desc is
still that desc.  The shape of a later series, from memory.
"""

from __future__ import annotations

from ..state import NULL, Domain, IrqDesc, LockedPendingIrq, Vcpu, spi_to_pending
from .lockfree_priority import LockfreePriority


class PendingIrqLock(LockfreePriority):
    """``p.lock`` guards p.desc and ENABLED."""

    ID = "pending_irq_lock"
    SUMMARY = "p lock instead of the rank lock; register writes look, take desc, look again"
    PHRASE = "with the pending_irq lock in place of the rank lock"

    pending_irq = LockedPendingIrq

    def p_of(self, d: Domain, virq: int) -> LockedPendingIrq:
        """The pending_irq of ``virq``, with its lock: an address, not a step."""
        p = spi_to_pending(d, virq)
        assert isinstance(p, LockedPendingIrq)
        return p

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int:
        """Enter with desc.lock held; takes and drops p.lock.

        Xen: gic.c, gic_route_irq_to_guest, with claim K9's lock.
        """
        p = self.p_of(d, virq)
        with p.lock:
            return self.map_irq(d, p, desc, priority)

    def gic_remove_irq_from_guest(self, d: Domain, virq: int, desc: IrqDesc) -> int:
        """Enter with desc.lock held; takes and drops p.lock.

        Xen: gic.c, gic_remove_irq_from_guest, with claim K9's lock.
        """
        p = self.p_of(d, virq)
        self.assert_mapped(p, desc)
        with p.lock:
            return self.unmap_irq(d, p, desc)

    def vgic_enable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """Enter with the rank lock held; takes and drops p.lock, vcpu, then desc with p.lock inside.

        Xen: vgic.c, vgic_enable_irqs, with claim K9's lock.
        """
        for virq in virqs:
            v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
            p = self.p_of(d, virq)
            with p.lock:
                p.ENABLED = True
                desc = p.desc
            self.raise_if_inflight(v_target, p)
            if desc is not NULL:
                self.enable_desc(p, desc, v_target)

    def enable_desc(self, p: LockedPendingIrq, desc: IrqDesc, v_target: Vcpu) -> None:
        """Enable ``desc`` if ``p`` still points to it.  Takes desc.lock, then p.lock."""
        with desc.lock, p.lock:
            if p.desc is desc:
                self.irq_set_affinity(desc, v_target.processor)
                desc.handler.enable(desc)

    def vgic_disable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """Enter with the rank lock held; locks as vgic_enable_irqs.

        Xen: vgic.c, vgic_disable_irqs, with claim K9's lock.
        """
        for virq in virqs:
            v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
            p = self.p_of(d, virq)
            with p.lock:
                p.ENABLED = False
                desc = p.desc
            self.gic_remove_from_queues(v_target, virq)
            if desc is not NULL:
                self.disable_desc(p, desc)

    def disable_desc(self, p: LockedPendingIrq, desc: IrqDesc) -> None:
        """Disable ``desc`` if ``p`` still points to it.  Takes desc.lock, then p.lock."""
        with desc.lock, p.lock:
            if p.desc is desc:
                desc.handler.disable(desc)
