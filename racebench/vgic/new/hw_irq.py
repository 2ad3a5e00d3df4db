"""vgic.c: the vIRQs that have a pIRQ behind them.

Lock order: desc, then irq_lock.
Guarantees: ``hw`` and ``hwintid`` change under irq_lock, and with the desc.lock
of that pIRQ held.
Assumes: a mapping does not change while the domain runs.  gic.c sees to it, and
vgic_sync_hardware_irq and vgic_v2_fold_lr_state rely on it.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL

from ...primitives import check_that
from ..header import Header
from ..state import FIRST_PIRQ, NULL, Domain, IrqDesc, Vcpu
from .state import VgicIrq, vgic_dist, vgic_get_irq


class HwIrq(Header):
    """vgic/vgic.c @ RELEASE-4.11.0 and c447b7308b, the part about hardware interrupts."""

    def vgic_connect_hw_irq(self, d: Domain, virq: int, desc: IrqDesc, connect: bool) -> int:
        """Connect SPI ``virq`` to ``desc``, or disconnect it; 0, -EBUSY or -EINVAL.

        Enter with desc.lock held; takes and drops irq_lock.  When other threads
        see ``hw``, the handler is not the guest's yet.
        Xen: vgic/vgic.c, vgic_connect_hw_irq @ RELEASE-4.11.0 and c447b7308b.
        """
        irq = vgic_get_irq(d, virq)
        with irq.irq_lock:
            if connect:
                if not self.may_connect_irq(irq):
                    return -EBUSY
                irq.hw = True
                irq.hwintid = desc.irq
                return 0
            if irq.hwintid != desc.irq:
                return -EINVAL
            irq.hw = False
            irq.hwintid = 0
            return 0

    def may_connect_irq(self, irq: VgicIrq) -> bool:
        """Whether ``irq`` has no pIRQ and is not in use.  Enter with irq_lock held."""
        return not irq.hw and not irq.enabled

    def vgic_get_hw_irq_desc(self, d: Domain, virq: int) -> IrqDesc:
        """The desc behind SPI ``virq``, NULL if none.  Takes and drops irq_lock.

        Xen: vgic/vgic.c, vgic_get_hw_irq_desc @ RELEASE-4.11.0 and c447b7308b.
        """
        irq = vgic_get_irq(d, virq)
        with irq.irq_lock:
            return self.desc_behind(irq, "vgic_get_hw_irq_desc")

    def desc_behind(self, irq: VgicIrq, where: str) -> IrqDesc:
        """The desc behind ``irq``, NULL if none.  Enter with irq_lock held.

        The caller may lock it only after it has dropped irq_lock.
        Xen: in vgic/vgic.c, vgic_get_hw_irq_desc, and vgic/vgic-mmio.c,
        vgic_mmio_write_senable, vgic_mmio_write_cenable @ RELEASE-4.11.0 and c447b7308b.
        """
        desc: IrqDesc = NULL
        if irq.hw:
            hwintid = irq.hwintid
            check_that(hwintid >= FIRST_PIRQ, "crash.assertion", f"{where}: hwintid is not an SPI")
            desc = self.irq_to_desc(hwintid)
        return desc

    def vgic_sync_hardware_irq(self, d: Domain, desc: IrqDesc, irq: VgicIrq) -> None:
        """Set the line as ``irq`` now requires.  Takes and drops desc.lock, irq_lock inside.

        No lock was held before, so it asserts that ``desc`` still belongs to ``irq``.
        Xen: vgic/vgic.c, vgic_sync_hardware_irq @ RELEASE-4.11.0 and c447b7308b.
        """
        with desc.lock, irq.irq_lock:
            self.assert_connected(irq, desc, "vgic_sync_hardware_irq")
            # Read again: of two register writes the one that syncs last need not be the one that wrote last.
            if irq.enabled:
                if self.irq_type_set_by_domain(d) and desc.DISABLED:
                    self.gic_set_irq_type(desc, irq.config)
                target = irq.target_vcpu
                if target is not NULL:
                    self.irq_set_affinity(desc, target.processor)
                desc.handler.enable(desc)
            else:
                desc.handler.disable(desc)

    def assert_connected(self, irq: VgicIrq, desc: IrqDesc, where: str) -> None:
        """The assertion of a register write that has looked up ``desc`` and dropped irq_lock.

        Enter with desc.lock and irq_lock held.
        """
        check_that(
            irq.hw and desc.irq == irq.hwintid,
            "crash.assertion",
            f"{where}: the pIRQ is no longer the vIRQ's",
        )

    def arch_move_irqs(self, v: Vcpu) -> None:
        """``v`` now runs on another pCPU: its SPIs follow.

        Takes and drops each irq_lock; set_affinity is called without desc.lock.
        Xen: vgic/vgic.c, arch_move_irqs @ RELEASE-4.11.0 and c447b7308b.
        """
        for _, irq in sorted(vgic_dist(v.domain).spis.items()):
            with irq.irq_lock:
                if irq.hw and irq.target_vcpu is v:
                    self.irq_set_affinity(self.irq_to_desc(irq.hwintid), v.processor)

    def domain_vgic_free(self, d: Domain) -> None:
        """Take back the pIRQs of ``d``.  ``hw`` and ``hwintid`` are read without a lock.

        Xen hands release_guest_irq the *physical* number where it wants the
        virtual one: a pIRQ whose vIRQ has another number stays routed to a
        domain that is gone.
        Xen: vgic/vgic-init.c, domain_vgic_free @ RELEASE-4.11.0 and c447b7308b.
        """
        for _, irq in sorted(vgic_dist(d).spis.items()):
            if irq.hw:
                self.release_guest_irq(d, irq.hwintid)
