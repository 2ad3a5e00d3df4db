"""vgic.c: enabling, disabling, migrating and injecting vIRQs.

Lock order: rank (the caller's, for register writes), then vcpu or desc.
Guarantees: ENABLED follows the rank's ienable bit while the rank lock is held.
Assumes: register writes enter with the rank lock held; injection with desc or
nothing held.
"""

from __future__ import annotations

from ..primitives import check_that
from .gic_lr import GicLr
from .lists import INFLIGHT, LR_PENDING
from .state import (
    INTERRUPT_RANK_MASK,
    NR_LOCAL_IRQS,
    NULL,
    SOURCE_ONLY,
    Domain,
    IrqDesc,
    IrqType,
    PendingIrq,
    Vcpu,
    irq_to_pending,
    reread,
    vgic_rank_irq,
)


class Vgic(GicLr):
    """vgic.c @ baf2950213."""

    def vgic_is_valid_line(self, d: Domain, virq: int) -> bool:
        """Whether ``d`` has ``virq``.  Xen: vgic.h, vgic_num_irqs @ baf2950213."""
        return virq < d.vgic_num_irqs

    def vgic_is_spi(self, d: Domain, virq: int) -> bool:
        """Whether ``virq`` is an SPI of ``d``, and not private to a vCPU."""
        return virq >= NR_LOCAL_IRQS and self.vgic_is_valid_line(d, virq)

    def vgic_get_target_vcpu(self, v: Vcpu, virq: int) -> Vcpu:
        """The vCPU that SPI ``virq`` goes to: one atomic read, no lock.

        Xen: vgic.c, vgic_get_target_vcpu @ baf2950213.
        """
        return v.domain.vcpu[vgic_rank_irq(v, virq).irq[virq & INTERRUPT_RANK_MASK].vcpu]

    def vgic_get_virq_priority(self, v: Vcpu, virq: int) -> int:
        """The priority of ``virq``.  Takes and drops the rank lock.

        Xen: vgic.c, vgic_get_virq_priority @ baf2950213.
        """
        rank = vgic_rank_irq(v, virq)
        with rank.lock:
            return rank.irq[virq & INTERRUPT_RANK_MASK].priority

    def vgic_enable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """Apply newly set ienable bits.  Enter with the rank lock held.

        Takes and drops the target's vcpu lock, then the lock of the desc to which p.desc
        points; p.desc is read again each time, also to unlock.
        set_affinity is called without desc.lock.  Unlike Xen, the writer is
        never the target vCPU, and a guest that chooses types wants level (ICFGR).
        Xen: vgic.c, vgic_enable_irqs @ baf2950213.
        """
        for virq in virqs:
            v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
            p = irq_to_pending(v_target, virq)
            self.set_enabled(v_target, p)
            if p.desc is not NULL:
                self.irq_set_affinity(reread(p), v_target.processor)
                gone = "vgic_enable_irqs: p->desc became NULL"
                locked = p.desc
                check_that(locked is not NULL, "crash.null_desc", gone)
                locked.lock.acquire()
                desc = p.desc
                check_that(desc is not NULL, "crash.null_desc", gone)
                if self.irq_type_set_by_domain(d):
                    self.gic_set_irq_type(desc, IrqType.LEVEL_HIGH)
                desc.handler.enable(desc)
                unlocked = p.desc
                check_that(unlocked is not NULL, "crash.null_desc", gone)
                unlocked.lock.release()

    def set_enabled(self, v_target: Vcpu, p: PendingIrq) -> None:
        """Set ENABLED, then raise an interrupt that came before.  Takes and drops ``v_target.lock``.

        Xen: in vgic_enable_irqs @ baf2950213.
        """
        p.ENABLED = True
        self.raise_if_inflight(v_target, p)

    def raise_if_inflight(self, v_target: Vcpu, p: PendingIrq) -> None:
        """Raise an interrupt that came while ``p`` was disabled.

        Takes and drops ``v_target.lock``.  Xen: in vgic_enable_irqs @ baf2950213.
        """
        with v_target.lock:
            self.raise_locked(v_target, p)

    def raise_locked(self, v_target: Vcpu, p: PendingIrq) -> None:
        """The same with ``v_target.lock`` held."""
        if INFLIGHT.is_linked(p) and not p.VISIBLE:
            self.gic_raise_guest_irq(v_target, p)

    def vgic_disable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """Apply newly cleared ienable bits.  Enter with the rank lock held.

        Takes and drops the target's vcpu lock, then the lock of the desc to which p.desc
        points; p.desc is read again each time, also to unlock.
        INPROGRESS stays.
        Xen: vgic.c, vgic_disable_irqs @ baf2950213.
        """
        for virq in virqs:
            v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
            p = irq_to_pending(v_target, virq)
            p.ENABLED = False
            self.gic_remove_from_queues(v_target, virq)
            if p.desc is not NULL:
                gone = "vgic_disable_irqs: p->desc became NULL"
                # No call comes between the test and this read.
                locked = reread(p)
                check_that(locked is not NULL, "crash.null_desc", f"{gone} ({SOURCE_ONLY})")
                locked.lock.acquire()
                desc = p.desc
                check_that(desc is not NULL, "crash.null_desc", gone)
                desc.handler.disable(desc)
                unlocked = p.desc
                check_that(unlocked is not NULL, "crash.null_desc", gone)
                unlocked.lock.release()

    def vgic_migrate_irq(self, old: Vcpu, new: Vcpu, virq: int) -> bool:
        """Move ``virq`` from ``old`` to ``new``; False if a move is in progress already.

        Enter with the rank lock held.  Takes and drops ``old.lock``; an IRQ
        that only waits for an LR is injected again, with ``new.lock`` and
        the locks that reading its priority takes.
        Xen: vgic.c, vgic_migrate_irq @ baf2950213.
        """
        p = irq_to_pending(old, virq)
        if p.desc is NULL:
            return True
        if p.MIGRATING:
            return False
        with old.lock:
            reinject = self.migrate_locked(old, new, p)
        if reinject:
            self.vgic_vcpu_inject_irq(new, virq)
        return True

    def migrate_locked(self, old: Vcpu, new: Vcpu, p: PendingIrq) -> bool:
        """Send the line to ``new``, now or at the EOI; return whether to inject it into ``new``.

        Enter with ``old.lock`` held.  Xen: in vgic_migrate_irq @ baf2950213.
        """
        if not INFLIGHT.is_linked(p):
            self.irq_set_affinity(p.desc, new.processor)
            return False
        if LR_PENDING.is_linked(p):
            p.QUEUED = False
            LR_PENDING.remove(old, p)
            INFLIGHT.remove(old, p)
            self.irq_set_affinity(p.desc, new.processor)
            return True
        if INFLIGHT.is_linked(p):
            p.MIGRATING = True
        return False

    def arch_move_irqs(self, v: Vcpu) -> None:
        """``v`` now runs on another pCPU: its SPIs follow.  Takes no lock at all.

        The pCPU of ``v`` is read once, before all else: a later move may overtake this one.
        Xen: vgic.c, arch_move_irqs @ baf2950213.
        """
        pcpu = v.processor
        for virq, p in sorted(v.domain.pending_irqs.items()):
            v_target = self.vgic_get_target_vcpu(v, virq)
            if v_target is v and not p.MIGRATING:
                self.irq_set_affinity(p.desc, pcpu)

    def vgic_clear_pending_irqs(self, v: Vcpu) -> None:
        """Forget the pending vIRQs of ``v``, before it starts anew.  Takes and drops ``v.lock``.

        Xen: vgic.c, vgic_clear_pending_irqs @ baf2950213.
        """
        with v.lock:
            for p in v.inflight_irqs:
                INFLIGHT.remove(v, p)
            self.gic_clear_pending_irqs(v)

    def vgic_vcpu_inject_irq(self, v: Vcpu, virq: int, current: Vcpu | None = None) -> None:
        """Make ``virq`` pending on ``v``.

        Takes and drops ``v.lock``, and before it the locks that reading the priority takes.
        A vCPU that is down drops it: INPROGRESS stays.
        Xen: vgic.c, vgic_vcpu_inject_irq @ baf2950213.
        """
        n = irq_to_pending(v, virq)
        priority = self.vgic_get_virq_priority(v, virq)
        with v.lock:
            if v.VPF_down:
                return
            n.QUEUED = True
            if INFLIGHT.is_linked(n):
                self.gic_raise_inflight_irq(v, n, current)
            else:
                self.put_inflight(v, n, priority, current)
        self.vcpu_kick(v)

    def put_inflight(self, v: Vcpu, n: PendingIrq, priority: int, current: Vcpu | None) -> None:
        """Raise ``n`` if it is enabled, and put it on the list.  Enter with ``v.lock`` held.

        Xen: in vgic_vcpu_inject_irq @ baf2950213.
        """
        n.priority = priority
        if n.ENABLED:
            self.gic_raise_guest_irq(v, n, current)
        successor = next((i for i in v.inflight_irqs if i.priority > priority), None)
        INFLIGHT.add_before(v, n, successor)

    def vgic_vcpu_inject_spi(self, d: Domain, virq: int, current: Vcpu | None = None) -> None:
        """Make SPI ``virq`` pending on the vCPU it targets, which is read without a lock.

        Xen: vgic.c, vgic_vcpu_inject_spi @ baf2950213.
        """
        check_that(virq >= NR_LOCAL_IRQS, "crash.assertion", "vgic_vcpu_inject_spi: virq < 32")
        self.vgic_vcpu_inject_irq(self.vgic_get_target_vcpu(d.vcpu[0], virq), virq, current)

    def domain_vgic_free(self, d: Domain) -> None:
        """Take back every pIRQ of ``d``; p.desc is read without a lock.

        Unlike Xen, only SPIs that were ever named are examined.
        Xen: vgic.c, domain_vgic_free @ baf2950213.
        """
        for virq, p in sorted(d.pending_irqs.items()):
            desc: IrqDesc = p.desc
            if desc is not NULL:
                self.release_guest_irq(d, virq)
