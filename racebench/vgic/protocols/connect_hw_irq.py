"""ec2a2f1de4 (2018) as repaired by 8635491581: the rank lock covers p.desc alone.

Lock order: desc -> rank (route, release), desc -> vcpu (do_IRQ), rank -> vcpu
and rank -> desc (enable, disable).  handler, GUEST, type and priority change
after the rank lock is dropped, under desc.lock.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL

from ...primitives import check_that
from ..lists import LR_PENDING
from ..state import (
    NO_IRQ_TYPE,
    NR_LOCAL_IRQS,
    NULL,
    Domain,
    IrqDesc,
    PendingIrq,
    irq_to_pending,
    spi_to_pending,
    vgic_rank_irq,
)
from .lockfree_priority import LockfreePriority


class ConnectHwIrq(LockfreePriority):
    """Connecting and disconnecting is a function of the vGIC; the rest is the GIC's."""

    ID = "connect_hw_irq"
    SUMMARY = "ec2a2f1de4 + 8635491581: the rank lock only around testing and writing p.desc"

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
        desc.handler = NO_IRQ_TYPE
        return 0

    def release_guest_irq(self, d: Domain, virq: int) -> int:
        """As at baseline, but p.desc is read once.

        Xen: irq.c, release_guest_irq @ ec2a2f1de4.
        """
        if virq < NR_LOCAL_IRQS or virq >= d.vgic_num_irqs:
            return -EINVAL
        desc = spi_to_pending(d, virq).desc
        if desc is NULL:
            return -EINVAL
        return self.release_desc(d, virq, desc)

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
