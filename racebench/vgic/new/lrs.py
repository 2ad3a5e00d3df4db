"""vgic-v2.c: from the ap_list into list registers when a vCPU runs, and back.

Lock order: desc, then irq_lock (on the way back); ap_list, then irq_lock.
Guarantees: outside the guest no LR is in use.
Assumes: one thread at a time plays a given vCPU, and holds no lock.
"""

from __future__ import annotations

from contextlib import nullcontext

from ...primitives import check_that
from ..hardware import ListRegister
from ..state import NR_LRS, NULL, Vcpu
from .ap_list import ApList, vgic_target_oracle
from .state import VgicCpu, VgicIrq, vgic_cpu, vgic_get_irq


class ListRegisters(ApList):
    """vgic/vgic-v2.c @ RELEASE-4.11.0, and the functions of vgic/vgic.c around it."""

    def vgic_sync_from_lrs(self, vcpu: Vcpu) -> None:
        """``vcpu`` has left the guest.  Its list is first looked at without a lock.

        Xen: vgic/vgic.c, vgic_sync_from_lrs @ RELEASE-4.11.0.
        """
        v = vgic_cpu(vcpu)
        if not v.ap_list:
            return
        self.vgic_v2_fold_lr_state(v)
        self.vgic_prune_ap_list(v)

    def vgic_v2_fold_lr_state(self, v: VgicCpu) -> None:
        """Empty the LRs into their vgic_irqs.  Takes and drops desc.lock and irq_lock.

        Xen: vgic/vgic-v2.c, vgic_v2_fold_lr_state @ RELEASE-4.11.0.
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
        """One LR's turn in vgic_v2_fold_lr_state."""
        ended = not (entry.pending or entry.active)
        desc = NULL
        # Read with no lock, since desc comes before irq_lock: Xen has it that a
        # mapping once there stays ("a write-once member").
        if irq.hw:
            desc = self.irq_to_desc(irq.hwintid)
        with nullcontext() if desc is NULL else desc.lock, irq.irq_lock:
            if irq.hw and ended:
                check_that(desc is not NULL, "crash.null_desc", "vgic_v2_fold_lr_state: hw has become true")
                desc.INPROGRESS = False
            irq.active = entry.active
            if entry.pending:
                irq.pending_latch = True

    def vgic_sync_to_lrs(self, vcpu: Vcpu) -> None:
        """``vcpu`` enters the guest.  Its list is first looked at without a lock.

        Takes and drops ap_list_lock with one irq_lock at a time.
        Xen: vgic/vgic.c, vgic_sync_to_lrs, vgic_flush_lr_state @ RELEASE-4.11.0.
        """
        v = vgic_cpu(vcpu)
        if not v.ap_list:
            return
        with v.ap_list_lock:
            count = 0
            # Unlike Xen, the list is never sorted: scenarios have fewer vIRQs than there are LRs.
            for irq in v.ap_list[:NR_LRS]:
                with irq.irq_lock:
                    if vgic_target_oracle(irq) is v:
                        self.vgic_v2_populate_lr(v, irq, count)
                        count += 1
            v.used_lrs = count

    def vgic_v2_populate_lr(self, v: VgicCpu, irq: VgicIrq, lr: int) -> None:
        """Put ``irq`` into list register ``lr``.  Enter with irq_lock held.

        Unlike Xen, its priority is not kept in the LR: nothing reads it.
        Xen: vgic/vgic-v2.c, vgic_v2_populate_lr @ RELEASE-4.11.0.
        """
        pending, active = irq.pending_latch, irq.active
        if pending:
            irq.pending_latch = False
        entry = ListRegister(irq.intid, None, pending, active)
        if irq.hw:
            desc = self.irq_to_desc(irq.hwintid)
            self.check_active(desc, f"vIRQ {irq.intid} is put into an LR")
            # The pending state of a hardware interrupt is the line's.
            entry = ListRegister(irq.intid, desc.irq, pending and not active, active)
        entries = v.lrs
        v.lrs = (*entries[:lr], entry, *entries[lr + 1 :])
