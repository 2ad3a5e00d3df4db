"""vgic-v2.c: from the ap_list into list registers when a vCPU runs, and back.

Lock order: desc, then irq_lock (on the way back); ap_list, then irq_lock.
Guarantees: outside the guest no LR is in use.
Assumes: one thread at a time plays a given vCPU, and holds no lock.
"""

from __future__ import annotations

from contextlib import nullcontext

from ...primitives import check_that
from ..hardware import ListRegister
from ..state import FIRST_PIRQ, NR_LRS, NULL, IrqDesc, IrqType, Vcpu
from .ap_list import ApList, vgic_target_oracle
from .hw_irq import HwIrq
from .state import VgicCpu, VgicIrq, irq_is_pending, vgic_cpu, vgic_get_irq


class ListRegisters(ApList, HwIrq):
    """vgic/vgic-v2.c @ RELEASE-4.11.0 and c447b7308b, and the functions of vgic/vgic.c around it."""

    def vgic_sync_from_lrs(self, vcpu: Vcpu) -> bool:
        """``vcpu`` has left the guest; return whether anything is on its list, which is read without a lock.

        Xen: vgic/vgic.c, vgic_sync_from_lrs @ RELEASE-4.11.0 and c447b7308b.
        """
        v = vgic_cpu(vcpu)
        if not v.ap_list:
            return False
        self.vgic_v2_fold_lr_state(v)
        self.vgic_prune_ap_list(v)
        return True

    def vgic_v2_fold_lr_state(self, v: VgicCpu) -> None:
        """Empty the LRs into their vgic_irqs.  Takes and drops desc.lock and irq_lock.

        Xen: vgic/vgic-v2.c, vgic_v2_fold_lr_state @ RELEASE-4.11.0 and c447b7308b.
        """
        used_lrs = v.used_lrs
        if not used_lrs:
            return
        for lr in range(used_lrs):
            entries = v.lrs
            v.lrs = (*entries[:lr], None, *entries[lr + 1 :])
            entry = entries[lr]
            assert entry is not None
            self._fold(vgic_get_irq(v.domain, entry.virq), entry)
        v.used_lrs = 0

    def _fold(self, irq: VgicIrq, entry: ListRegister) -> None:
        """Fold one LR, in vgic_v2_fold_lr_state."""
        ended = not (entry.pending or entry.active)
        desc = NULL
        # Read with no lock, since desc comes before irq_lock: Xen has it that a
        # mapping once there stays ("a write-once member").
        hw = irq.hw
        if hw:
            hwintid = irq.hwintid
            # 0 where it has just gone, or is to be written next: that is the desc of
            # an SGI, which each pCPU has for itself, so that its lock orders nothing.
            if hwintid >= FIRST_PIRQ:
                desc = self.irq_to_desc(hwintid)
        with nullcontext() if desc is NULL else desc.lock, irq.irq_lock:
            if ended and irq.hw:
                check_that(hw, "crash.null_desc", "vgic_v2_fold_lr_state: hw has become true")
                if desc is not NULL:
                    # It is only checked again that there is a pIRQ, not which one.
                    self.check_owner(desc, irq.domain, irq.intid, "INPROGRESS is cleared")
                    desc.INPROGRESS = False
            irq.active = entry.active
            if irq.config is IrqType.EDGE_RISING:
                if entry.pending:
                    irq.pending_latch = True
            elif not entry.pending:
                irq.pending_latch = False
            elif irq.hw:
                check_that(hw, "crash.null_desc", "vgic_v2_fold_lr_state: hw has become true")
                self._resample(irq, desc)

    def _resample(self, irq: VgicIrq, desc: IrqDesc) -> None:
        """Is a level interrupt that the guest has not taken still asserted?  Enter with both locks held.

        If not, the line is deactivated: otherwise nobody would notice when it rises again.
        """
        check_that(desc is not NULL, "crash.assertion", "gic_set_active_state: _IRQ_GUEST is clear of an SGI")
        irq.line_level = self.gic_read_pending_state(desc)
        if not irq.line_level:
            self.check_owner(desc, irq.domain, irq.intid, "the line is deactivated")
            self.gic_set_active_state(desc, False)

    def vgic_sync_to_lrs(self, vcpu: Vcpu) -> None:
        """``vcpu`` enters the guest.  Its list is first read without a lock.

        Takes and drops ap_list_lock with one irq_lock at a time.
        Xen: vgic/vgic.c, vgic_sync_to_lrs, vgic_flush_lr_state @ RELEASE-4.11.0 and c447b7308b.
        """
        v = vgic_cpu(vcpu)
        if not v.ap_list:
            return
        with v.ap_list_lock:
            count = 0
            # Unlike Xen, the list is never sorted: scenarios have fewer vIRQs than there are LRs.
            for irq in v.ap_list:
                with irq.irq_lock:
                    if vgic_target_oracle(irq) is v:
                        self.vgic_v2_populate_lr(v, irq, count)
                        count += 1
                if count == NR_LRS:
                    break
            v.used_lrs = count

    def vgic_v2_populate_lr(self, v: VgicCpu, irq: VgicIrq, lr: int) -> None:
        """Put ``irq`` into list register ``lr``.  Enter with irq_lock held.

        Unlike Xen, its priority is not kept in the LR: nothing reads it.
        Xen: vgic/vgic-v2.c, vgic_v2_populate_lr @ RELEASE-4.11.0 and c447b7308b.
        """
        pending, active = irq_is_pending(irq), irq.active
        edge = irq.config is IrqType.EDGE_RISING
        if pending and edge:
            irq.pending_latch = False
        entry = ListRegister(irq.intid, None, pending, active)
        if irq.hw:
            desc = self.irq_to_desc(irq.hwintid)
            self.check_active(desc, f"vIRQ {irq.intid} is put into an LR")
            # In Xen no hardware interrupt should be pending and active.  But Xen tests pending a
            # second time, when an edge's latch is already clear: so an edge may be both.
            if active and not edge and irq_is_pending(irq):
                pending = False
            entry = ListRegister(irq.intid, desc.irq, pending, active)
            if pending and not edge:
                # It is raised again, if necessary, when the vCPU leaves the guest: see _resample.
                irq.line_level = False
        entries = v.lrs
        v.lrs = (*entries[:lr], entry, *entries[lr + 1 :])
