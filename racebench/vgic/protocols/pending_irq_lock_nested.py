"""pending_irq_lock, but register writes keep p while they take desc.

Lock order: rank -> p -> desc (enable, disable) against desc -> p (route,
release): inverted.  desc -> vcpu (do_IRQ), rank -> vcpu.
"""

from __future__ import annotations

from ..state import NULL, Domain
from .pending_irq_lock import PendingIrqLock


class PendingIrqLockNested(PendingIrqLock):
    """No second check is needed, but the old deadlock is back with another lock."""

    ID = "pending_irq_lock_nested"
    SUMMARY = "pending_irq_lock with p kept while desc is taken"
    PHRASE = "with the pending_irq lock kept while desc is taken"

    def vgic_enable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """Enter with the rank lock held; takes and drops vcpu, then p with desc inside it.

        Xen: vgic.c, vgic_enable_irqs, with claim K9's lock held throughout.
        """
        for virq in virqs:
            v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
            p = self.p_of(d, virq)
            p.ENABLED = True
            self.raise_if_inflight(v_target, p)
            with p.lock:
                desc = p.desc
                if desc is not NULL:
                    with desc.lock:
                        self.irq_set_affinity(desc, v_target.processor)
                        desc.handler.enable(desc)

    def vgic_disable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """Enter with the rank lock held; locks as vgic_enable_irqs.

        Xen: vgic.c, vgic_disable_irqs, with claim K9's lock held throughout.
        """
        for virq in virqs:
            v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
            p = self.p_of(d, virq)
            p.ENABLED = False
            self.gic_remove_from_queues(v_target, virq)
            with p.lock:
                desc = p.desc
                if desc is not NULL:
                    with desc.lock:
                        desc.handler.disable(desc)
