"""vgic.c: which vCPU gets a vIRQ, and the list on which it waits there.

Lock order: ap_list (two of them: the lower vcpu_id first), then irq_lock.
Guarantees: a vIRQ is on the ap_list of ``irq.vcpu`` and on no other.
Assumes: a thread that queues holds at most a desc.lock; one thread at a time plays a
given vCPU, because only the pCPU that runs it prunes its list.

An ap_list_lock is not taken with an irq_lock held, so a thread that finds that a vIRQ
must be queued drops its irq_lock, takes both, and checks again.
"""

from __future__ import annotations

from ...primitives import check_that
from ..header import Header
from ..state import NULL, Domain, IrqType
from .state import VgicCpu, VgicIrq, irq_is_pending, vgic_dist, vgic_get_irq


def list_add_tail(v: VgicCpu, irq: VgicIrq) -> None:
    """Add ``irq``; it is list.corrupted if it is there already.  Enter with both locks held."""
    entries = v.ap_list
    check_that(
        irq not in entries, "list.corrupted", f"vIRQ {irq.intid} is put on ap_list of vCPU {v.vcpu_id} twice"
    )
    v.ap_list = (*entries, irq)


def list_del(v: VgicCpu, irq: VgicIrq) -> None:
    """Remove ``irq``; it is list.corrupted if it is not there.  Enter with both locks held."""
    entries = v.ap_list
    check_that(irq in entries, "list.corrupted", f"vIRQ {irq.intid} is not on ap_list of vCPU {v.vcpu_id}")
    v.ap_list = tuple(other for other in entries if other is not irq)


def vgic_target_oracle(irq: VgicIrq) -> VgicCpu:
    """The vCPU that ``irq`` belongs to now, NULL if to none.  Enter with irq_lock held.

    Xen: vgic/vgic.c, vgic_target_oracle @ RELEASE-4.11.0 and c447b7308b.
    """
    check_that(irq.irq_lock.locked(), "crash.assertion", "vgic_target_oracle: irq_lock is not held")
    if irq.active:
        return irq.vcpu or irq.target_vcpu
    nobody: VgicCpu = NULL
    # A distributor that is off delivers nothing.
    if irq.enabled and irq_is_pending(irq) and vgic_dist(irq.domain).enabled:
        return irq.target_vcpu
    return nobody


class ApList(Header):
    """vgic/vgic.c @ RELEASE-4.11.0 and c447b7308b, the part about ap_lists."""

    def vgic_inject_irq(self, d: Domain, virq: int, level: bool = True) -> None:
        """The line of SPI ``virq`` is high now, or low.  Takes and drops irq_lock, then ap_list and irq_lock.

        It does not test whether the vCPU is up.
        Xen: vgic/vgic.c, vgic_inject_irq @ RELEASE-4.11.0 and c447b7308b.
        """
        irq = vgic_get_irq(d, virq)
        irq.irq_lock.acquire()
        if irq.config is IrqType.EDGE_RISING:
            if not level:
                irq.irq_lock.release()
                return
            irq.pending_latch = True
        elif irq.line_level is level:
            irq.irq_lock.release()
            return
        else:
            irq.line_level = level
        self.vgic_queue_irq_unlock(irq)

    def vgic_queue_irq_unlock(self, irq: VgicIrq) -> None:
        """Put ``irq`` on its vCPU's ap_list, if it must be on one and is on none; kick that vCPU.

        Enter with irq_lock held; returns with it dropped.  Takes and drops the
        vCPU's ap_list_lock with irq_lock inside.
        Xen: vgic/vgic.c, vgic_queue_irq_unlock @ RELEASE-4.11.0 and c447b7308b.
        """
        while True:
            v = vgic_target_oracle(irq)
            if irq.vcpu is not NULL or v is NULL:
                irq.irq_lock.release()
                # A vIRQ on a list may have been ended in its LR already, and come again.
                break
            irq.irq_lock.release()
            # Another CPU may disable it, change its target or queue it here.
            with v.ap_list_lock, irq.irq_lock:
                if irq.vcpu is NULL and vgic_target_oracle(irq) is v:
                    list_add_tail(v, irq)
                    irq.vcpu = v
                    break
            irq.irq_lock.acquire()
        if v is not NULL:
            self.vcpu_kick(v)

    def vgic_prune_ap_list(self, v: VgicCpu) -> None:
        """Remove finished vIRQs from ``v``'s list, and move those that have another target.

        Takes and drops ap_list_lock with one irq_lock at a time, and to move a
        vIRQ both vCPUs' ap_list_locks.
        Xen: vgic/vgic.c, vgic_prune_ap_list @ RELEASE-4.11.0 and c447b7308b.
        """
        while found := self._next_to_move(v):
            irq, target = found
            first, second = sorted((v, target), key=lambda vcpu: vcpu.vcpu_id)
            with first.ap_list_lock, second.ap_list_lock, irq.irq_lock:
                # All locks were dropped: it may have yet another target by now.
                if vgic_target_oracle(irq) is target:
                    list_del(v, irq)
                    irq.vcpu = target
                    list_add_tail(target, irq)

    def _next_to_move(self, v: VgicCpu) -> tuple[VgicIrq, VgicCpu] | None:
        """Remove finished vIRQs; return the first vIRQ that has another target, and that vCPU."""
        with v.ap_list_lock:
            for irq in v.ap_list:
                with irq.irq_lock:
                    check_that(
                        irq.vcpu is v, "crash.assertion", "vgic_prune_ap_list: BUG_ON(vcpu != irq->vcpu)"
                    )
                    target = vgic_target_oracle(irq)
                    if target is NULL:
                        list_del(v, irq)
                        irq.vcpu = NULL
                        continue
                if target is not v:
                    return irq, target
        return None
