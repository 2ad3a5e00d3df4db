"""pending_irq_lock without the second check.

Lock order: rank -> p, rank -> desc (enable, disable), desc -> p (route,
release), desc -> vcpu (do_IRQ), rank -> vcpu.  Between dropping p and taking
desc the desc may have lost its owner, or gone to another vIRQ.
"""

from __future__ import annotations

from ..state import IrqDesc, LockedPendingIrq, Vcpu
from .pending_irq_lock import PendingIrqLock


class PendingIrqLockNoRecheck(PendingIrqLock):
    """A register write assumes that what it read under p.lock still holds."""

    ID = "pending_irq_lock_no_recheck"
    SUMMARY = "pending_irq_lock without looking again once desc is held"
    PHRASE = "with the pending_irq lock and no second look"

    def enable_desc(self, p: LockedPendingIrq, desc: IrqDesc, v_target: Vcpu) -> None:
        """Enable ``desc``, whoever owns it by now.  Takes desc.lock."""
        with desc.lock:
            self.irq_set_affinity(desc, v_target.processor)
            desc.handler.enable(desc)

    def disable_desc(self, p: LockedPendingIrq, desc: IrqDesc) -> None:
        """Disable ``desc``, whoever owns it by now.  Takes desc.lock."""
        with desc.lock:
            desc.handler.disable(desc)
