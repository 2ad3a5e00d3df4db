"""vgic-mmio.c: the guest writes to GICD_ISPENDR and GICD_ICPENDR.

Lock order: irq_lock, dropped before desc is taken; then desc, irq_lock inside.
Guarantees: the vIRQ's half takes effect under irq_lock, the line's under both.
Assumes: the writer is a vCPU of ``d`` and holds no lock; a mapping does not
change between the two halves, which is asserted.
"""

from __future__ import annotations

from ..state import NULL, Domain, Vcpu
from .ap_list import ApList
from .hw_irq import HwIrq
from .state import irq_is_pending, vgic_get_irq


class PendingRegisters(ApList, HwIrq):
    """vgic/vgic-mmio.c @ c447b7308b, the part about pending."""

    def write_ispendr(self, d: Domain, virqs: tuple[int, ...], current: Vcpu | None) -> None:
        """One write to GICD_ISPENDR that sets the bits of ``virqs``.

        For each takes and drops irq_lock, ap_list with irq_lock inside, desc
        with irq_lock inside.
        Xen: vgic/vgic-mmio.c, vgic_mmio_write_spending @ c447b7308b.
        """
        for virq in sorted(virqs):
            irq = vgic_get_irq(d, virq)
            irq.irq_lock.acquire()
            irq.pending_latch = True
            desc = self.irq_to_desc(irq.hwintid) if irq.hw else NULL
            self.vgic_queue_irq_unlock(irq)
            # The line is not active yet as it must be for the guest to end it.  The vIRQ may
            # already be in an LR, may even have ended there, and the line may fire.
            if desc is NULL:
                continue
            with desc.lock, irq.irq_lock:
                self.assert_connected(irq, desc, "vgic_mmio_write_spending")
                self.gic_set_active_state(desc, True)

    def write_icpendr(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """One write to GICD_ICPENDR that clears the bits of ``virqs``.

        For each takes and drops irq_lock, then desc with irq_lock inside.
        Xen: vgic/vgic-mmio.c, vgic_mmio_write_cpending @ c447b7308b.
        """
        for virq in sorted(virqs):
            irq = vgic_get_irq(d, virq)
            with irq.irq_lock:
                irq.pending_latch = False
                desc = self.irq_to_desc(irq.hwintid) if irq.hw else NULL
            # Here the vIRQ may come again, be taken by the guest, or end.
            if desc is NULL:
                continue
            with desc.lock, irq.irq_lock:
                self.assert_connected(irq, desc, "vgic_mmio_write_cpending")
                if irq_is_pending(irq):
                    continue
                self.gic_set_pending_state(desc, False)
                # ``active`` is the state when the vCPU last left the guest.
                if not irq.active:
                    self.gic_set_active_state(desc, False)
