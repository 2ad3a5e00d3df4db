"""ec2a2f1de4 (2018), 2ab72fa18d after it, as repaired by 8635491581: the rank lock covers p.desc alone.

Lock order: desc -> rank (route, release), desc -> vcpu (do_IRQ), rank -> vcpu
and rank -> desc (enable, disable).  handler, GUEST, type and priority change
after the rank lock is dropped, under desc.lock.

That tree has 5f66da6590, 9c34e21429 and c84e4b2dd4 (June 2017) too: they access
a pending_irq under the vCPU lock.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL

from ...primitives import check_that
from ..lists import INFLIGHT, LR_PENDING
from ..state import (
    NULL,
    Domain,
    IrqDesc,
    PendingIrq,
    Vcpu,
    irq_to_pending,
    spi_to_pending,
    vgic_rank_irq,
)
from .lockfree_priority import LockfreePriority


class ConnectHwIrq(LockfreePriority):
    """The vGIC has a function that connects and disconnects; the GIC does the rest."""

    ID = "connect_hw_irq"
    SUMMARY = "ec2a2f1de4 + 8635491581: the rank lock only around testing and writing p.desc"
    PHRASE = "with the rank lock only around p.desc"

    def vgic_connect_hw_irq(self, d: Domain, virq: int, desc: IrqDesc, connect: bool) -> int:
        """Point SPI ``virq`` at ``desc``, or at nothing; 0, -EBUSY or -EINVAL.

        Enter with desc.lock held; takes and drops the rank lock.
        Xen: gic-vgic.c, vgic_connect_hw_irq @ 8635491581.
        """
        v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
        p = irq_to_pending(v_target, virq)
        with vgic_rank_irq(v_target, virq).lock:
            if connect:
                if not self.may_connect(p):
                    return -EBUSY
                p.desc = desc
                return 0
            if p.desc is not desc:
                return -EINVAL
            p.desc = NULL
            return 0

    def may_connect(self, p: PendingIrq) -> bool:
        """Whether ``p`` has no pIRQ and is not in use.  Enter with the rank lock held."""
        return p.desc is NULL and not p.ENABLED

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int:
        """Enter with desc.lock held; takes and drops the rank lock.

        Xen: gic.c, gic_route_irq_to_guest @ ec2a2f1de4.
        """
        check_that(desc.lock.locked(), "crash.assertion", "gic_route_irq_to_guest: desc->lock is not held")
        ret = self.vgic_connect_hw_irq(d, virq, desc, True)
        if ret:
            return ret
        self.give_to_guest(d, desc, priority)
        return 0

    def gic_remove_irq_from_guest(self, d: Domain, virq: int, desc: IrqDesc) -> int:
        """Enter with desc.lock held; takes and drops the rank lock.

        Xen: gic.c, gic_remove_irq_from_guest @ 8635491581.
        """
        where = "gic_remove_irq_from_guest"
        check_that(desc.lock.locked(), "crash.assertion", f"{where}: desc->lock is not held")
        check_that(desc.GUEST, "crash.assertion", f"{where}: _IRQ_GUEST is clear")
        ret = self.stop_for_removal(d, desc)
        if ret:
            return ret
        ret = self.vgic_connect_hw_irq(d, virq, desc, False)
        if ret:
            return ret
        desc.GUEST = False
        desc.handler = desc.no_irq_type
        return 0

    def release_guest_irq(self, d: Domain, virq: int) -> int:
        """As at baseline, but p.desc is read once.

        At ec2a2f1de4 itself it still is read twice.
        Xen: irq.c, release_guest_irq, and gic-vgic.c, vgic_get_hw_irq_desc @ 2ab72fa18d.
        """
        if not self.vgic_is_spi(d, virq):
            return -EINVAL
        desc = spi_to_pending(d, virq).desc
        if desc is NULL:
            return -EINVAL
        return self.release_desc(d, virq, desc)

    def set_enabled(self, v_target: Vcpu, p: PendingIrq) -> None:
        """As at baseline, all of it under the vCPU lock.  Takes and drops ``v_target.lock``.

        Xen: vgic.c, in vgic_enable_irqs @ 5f66da6590.
        """
        with v_target.lock:
            p.ENABLED = True
            self.raise_locked(v_target, p)

    def vgic_migrate_irq(self, old: Vcpu, new: Vcpu, virq: int) -> bool:
        """As at baseline, but p.desc and MIGRATING are tested under ``old.lock``.

        Enter with the rank lock held; takes and drops ``old.lock``, then ``new.lock``.
        Xen: vgic.c, vgic_migrate_irq @ 5f66da6590.
        """
        p = irq_to_pending(old, virq)
        with old.lock:
            if p.desc is NULL:
                return True
            if p.MIGRATING:
                return False
            reinject = self.migrate_locked(old, new, p)
        if reinject:
            self.vgic_vcpu_inject_irq(new, virq)
        return True

    def vgic_vcpu_inject_irq(self, v: Vcpu, virq: int, current: Vcpu | None = None) -> None:
        """As at baseline, but the priority is read under ``v.lock``, and only if it is needed.

        Xen: vgic.c, vgic_vcpu_inject_irq @ 9c34e21429.
        """
        n = irq_to_pending(v, virq)
        with v.lock:
            if v.VPF_down:
                return
            n.QUEUED = True
            if INFLIGHT.is_linked(n):
                self.gic_raise_inflight_irq(v, n, current)
            else:
                self.put_inflight(v, n, self.vgic_get_virq_priority(v, virq), current)
        self.vcpu_kick(v)

    def gic_raise_inflight_irq(self, v: Vcpu, p: PendingIrq, current: Vcpu | None = None) -> None:
        """As at baseline, but nothing for a vIRQ that is disabled.

        Xen: gic-vgic.c, gic_raise_inflight_irq @ c84e4b2dd4.
        """
        if p.ENABLED:
            super().gic_raise_inflight_irq(v, p, current)

    def vgic_disable_irqs(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """As at baseline, but p.desc is read once, under the vCPU lock.

        Enter with the rank lock held; takes and drops vcpu, then desc.
        Xen: vgic.c, vgic_disable_irqs @ 5f66da6590.
        """
        for virq in virqs:
            v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
            p = irq_to_pending(v_target, virq)
            with v_target.lock:
                p.ENABLED = False
                LR_PENDING.remove(v_target, p)
                desc = p.desc
            if desc is not NULL:
                with desc.lock:
                    desc.handler.disable(desc)
