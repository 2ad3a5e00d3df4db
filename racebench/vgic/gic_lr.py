"""gic.c: list registers, and the two queues in front of them.

Lock order: none taken but the vCPU's vgic.lock, which guards all of this.
Guarantees: a vIRQ is in an LR exactly while VISIBLE is set.
Assumes: ``v.lock`` is held on entry unless the function says that it takes it.

``current`` is the vCPU whose code runs, None on a pCPU that runs another one.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..primitives import check_that
from .hardware import ListRegister
from .header import Header
from .lists import INFLIGHT, LR_PENDING
from .state import (
    GIC_INVALID_LR,
    NR_LRS,
    NULL,
    SOURCE_ONLY,
    Domain,
    IrqDesc,
    PendingIrq,
    Vcpu,
    irq_to_pending,
    reread,
)


def _assert_locked(v: Vcpu, where: str) -> None:
    check_that(v.lock.locked(), "crash.assertion", f"{where}: v->arch.vgic.lock is not held")


class GicLr(Header):
    """gic.c @ baf2950213, the part about list registers."""

    def gic_set_lr(self, v: Vcpu, lr: int, p: PendingIrq) -> None:
        """Put ``p`` into list register ``lr``.

        Xen: gic.c, gic_set_lr, and gic-v2.c, gicv2_update_lr @ baf2950213.
        """
        entry = ListRegister(p.irq)
        if p.desc is not NULL:
            # A hardware interrupt: the LR names its pIRQ, so p.desc is read again.
            desc = reread(p)
            where = "gic_set_lr"
            check_that(desc is not NULL, "crash.null_desc", f"{where}: p->desc became NULL ({SOURCE_ONLY})")
            self.check_active(desc, f"vIRQ {p.irq} is put into an LR")
            entry = ListRegister(p.irq, desc.irq)
        lrs = v.lrs
        v.lrs = (*lrs[:lr], entry, *lrs[lr + 1 :])
        p.VISIBLE = True
        p.QUEUED = False
        p.lr = lr

    def gic_add_to_lr_pending(self, v: Vcpu, n: PendingIrq) -> None:
        """Queue ``n`` for an LR by priority; do nothing if it is queued.

        Xen: gic.c, gic_add_to_lr_pending @ baf2950213.
        """
        _assert_locked(v, "gic_add_to_lr_pending")
        if LR_PENDING.is_linked(n):
            return
        for other in v.lr_pending:
            if other.priority > n.priority:
                LR_PENDING.add_before(v, n, other)
                return
        LR_PENDING.add_before(v, n, None)

    def gic_remove_from_queues(self, v: Vcpu, virq: int) -> None:
        """Take ``virq`` off lr_pending; it stays inflight.  Takes and drops ``v.lock``.

        Xen: gic.c, gic_remove_from_queues @ baf2950213.
        """
        p = irq_to_pending(v, virq)
        with v.lock:
            LR_PENDING.remove(v, p)

    def gic_raise_inflight_irq(self, v: Vcpu, p: PendingIrq, current: Vcpu | None = None) -> None:
        """``p`` fires again while inflight: look at its LR at once if the vCPU is here.

        Xen: gic.c, gic_raise_inflight_irq @ baf2950213.
        """
        _assert_locked(v, "gic_raise_inflight_irq")
        if not LR_PENDING.is_linked(p) and v is current:
            self.update_lr_of(v, p)

    def update_lr_of(self, v: Vcpu, p: PendingIrq) -> None:
        """Update the LR that ``p.lr`` names, without checking that it is that of ``p``.

        Unlike Xen, nothing happens if the vCPU does not use that LR: another vIRQ's, or none, is in it.
        Xen: gic.c, in gic_raise_inflight_irq @ baf2950213.
        """
        lr = p.lr
        if lr < NR_LRS and v.lr_mask >> lr & 1:
            self.gic_update_one_lr(v, lr)
            return
        message = f"vIRQ {p.irq} comes again: LR {lr} is looked at, which vCPU {v.vcpu_id} does not use"
        self.fault("lr.stale_index", message, "p.lr")

    def gic_raise_guest_irq(self, v: Vcpu, p: PendingIrq, current: Vcpu | None = None) -> None:
        """Give ``p`` a free LR if the vCPU runs here and no vIRQ is queued, else queue it.

        Xen: gic.c, gic_raise_guest_irq @ baf2950213.
        """
        _assert_locked(v, "gic_raise_guest_irq")
        if v is current and not v.lr_pending:
            lr = self._free_lr(v)
            if lr is not None:
                self.gic_set_lr(v, lr, p)
                return
        self.gic_add_to_lr_pending(v, p)

    def _free_lr(self, v: Vcpu) -> int | None:
        """Reserve a free list register in lr_mask and return it; None if all are in use."""
        mask = v.lr_mask
        for lr in range(NR_LRS):
            if not mask & (1 << lr):
                v.lr_mask = mask | (1 << lr)
                return lr
        return None

    def gic_update_one_lr(self, v: Vcpu, i: int) -> None:
        """Clean list register ``i`` if the guest has ended its interrupt.

        p.desc is read twice, and desc.lock is not taken.
        Xen: gic.c, gic_update_one_lr @ baf2950213.
        """
        _assert_locked(v, "gic_update_one_lr")
        entry = v.lrs[i]
        if entry is None:
            return
        p = irq_to_pending(v, entry.virq)
        if entry.active:
            self.update_active_lr(v, i, p)
            return
        if entry.pending:
            p.QUEUED = False
            return
        lrs = v.lrs
        v.lrs = (*lrs[:i], None, *lrs[i + 1 :])
        v.lr_mask &= ~(1 << i)
        if p.desc is not NULL:
            desc = reread(p)
            where = "gic_update_one_lr"
            check_that(desc is not NULL, "crash.null_desc", f"{where}: p->desc became NULL ({SOURCE_ONLY})")
            self.check_owner(desc, v.domain, p.irq, "INPROGRESS is cleared")
            desc.INPROGRESS = False
        p.VISIBLE = False
        p.ACTIVE = False
        p.lr = GIC_INVALID_LR
        if p.ENABLED and p.QUEUED and not p.MIGRATING:
            self.gic_raise_guest_irq(v, p, v)
            return
        # Off the list first: an IRQ that the new pCPU takes must not find it inflight.
        INFLIGHT.remove(v, p)
        self.finish_migration(v, p)

    def update_active_lr(self, v: Vcpu, i: int, p: PendingIrq) -> None:
        """The guest is handling ``p``; if it has come again, a virtual one becomes pending too.

        Enter with ``v.lock`` held.  Xen: gic.c, in gic_update_one_lr @ baf2950213.
        """
        p.ACTIVE = True
        if p.ENABLED and p.QUEUED:
            p.QUEUED = False
            if p.desc is NULL:
                lrs = v.lrs
                entry = lrs[i]
                assert entry is not None
                v.lrs = (*lrs[:i], entry._replace(pending=True), *lrs[i + 1 :])

    def guest_hweoi(self, d: Domain, virq: int, vcpu: int | None = None) -> Vcpu | None:
        """vCPU ``vcpu`` (None: the one with ``virq`` in an LR) ends ``virq``; return that vCPU, or None.

        The hardware does this, and if the HW bit is set it deactivates the line at once.
        """
        for v in d.vcpu if vcpu is None else (d.vcpu[vcpu],):
            lrs = v.lrs
            for i, entry in enumerate(lrs):
                if entry is None or entry.virq != virq or not (entry.pending or entry.active):
                    continue
                v.lrs = (*lrs[:i], entry.ended(), *lrs[i + 1 :])
                if entry.pirq is not None:
                    self.deactivate_through_lr(d, virq, self.irq_to_desc(entry.pirq))
                return v
        return None

    def deactivate_through_lr(self, d: Domain, virq: int, desc: IrqDesc) -> None:
        """The hardware's half of ``guest_hweoi`` for the line of ``desc``."""
        if desc.line is NULL:
            return
        self.check_active(desc, f"vIRQ {virq} is ended")
        self.check_owner(desc, d, virq, "the line is deactivated")
        desc.line.active = False

    def finish_migration(self, v: Vcpu, p: PendingIrq) -> None:
        """Move the line of a vIRQ that was sent away while it was in an LR, and has ended.

        Xen: in gic_update_one_lr @ baf2950213.
        """
        if p.MIGRATING:
            v_target = self.vgic_get_target_vcpu(v, p.irq)
            self.irq_set_affinity(p.desc, v_target.processor)
            p.MIGRATING = False

    def gic_clear_lrs(self, v: Vcpu) -> bool:
        """``v`` traps: update each LR in use; return whether there is one.  Takes and drops ``v.lock``.

        Xen: gic.c, gic_clear_lrs @ baf2950213.
        """
        with v.lock:
            mask = v.lr_mask
            for i in range(NR_LRS):
                if mask & (1 << i):
                    self.gic_update_one_lr(v, i)
        return bool(mask)

    def gic_restore_pending_irqs(self, v: Vcpu) -> None:
        """Fill LRs from lr_pending, free ones first.  Takes and drops ``v.lock``.

        Unlike Xen, an evicted vIRQ is not considered again before the next call.
        Xen: gic.c, gic_restore_pending_irqs @ baf2950213.
        """
        with v.lock:
            victims: Iterator[PendingIrq] | None = None
            for p in v.lr_pending:
                lr = self._free_lr(v)
                if lr is None:
                    # Each search continues where the last one found a victim.
                    victims = victims or reversed(v.inflight_irqs)
                    lr = self.evict(v, p, victims)
                if lr is None:
                    return
                self.gic_set_lr(v, lr, p)
                LR_PENDING.remove(v, p)

    def evict(self, v: Vcpu, p: PendingIrq, victims: Iterator[PendingIrq]) -> int | None:
        """Free an LR for ``p`` from a less urgent vIRQ that the guest does not handle; None if there is none.

        Xen: gic.c, in gic_restore_pending_irqs @ baf2950213.
        """
        for victim in victims:
            if victim.priority == p.priority:
                return None
            if victim.VISIBLE and not victim.ACTIVE:
                lr = victim.lr
                victim.lr = GIC_INVALID_LR
                victim.QUEUED = True
                victim.VISIBLE = False
                self.gic_add_to_lr_pending(v, victim)
                return lr
        return None

    def gic_clear_pending_irqs(self, v: Vcpu) -> None:
        """Forget LRs and lr_pending.

        Xen: gic.c, gic_clear_pending_irqs @ baf2950213.
        """
        _assert_locked(v, "gic_clear_pending_irqs")
        v.lr_mask = 0
        for p in v.lr_pending:
            LR_PENDING.remove(v, p)
