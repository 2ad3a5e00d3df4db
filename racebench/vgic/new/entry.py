"""The entry points of the new vGIC for irq.c, traps.c and PSCI.

Lock order: none of its own.
Guarantees: every way into the guest empties the LRs first, and then fills them.
Assumes: do_IRQ enters with desc.lock held, the others with no lock.
"""

from __future__ import annotations

from errno import EINVAL

from ..state import NULL, Domain, Vcpu
from .lrs import ListRegisters
from .mmio import Mmio


class Entry(Mmio, ListRegisters):
    """The functions that replace those of vgic.c, vgic-v2.c and gic-vgic.c for their callers."""

    def release_guest_irq(self, d: Domain, virq: int) -> int:
        """As at baseline, but asks the vGIC for the desc, once.  Takes and drops irq_lock first.

        Xen: irq.c, release_guest_irq @ RELEASE-4.11.0 and c447b7308b.
        """
        if not self.vgic_is_spi(d, virq):
            return -EINVAL
        desc = self.vgic_get_hw_irq_desc(d, virq)
        if desc is NULL:
            return -EINVAL
        return self.release_desc(d, virq, desc)

    def vgic_vcpu_inject_spi(self, d: Domain, virq: int, current: Vcpu | None = None) -> None:
        """What do_IRQ calls, with desc.lock held: now vgic_inject_irq.

        Xen: irq.c, do_IRQ @ RELEASE-4.11.0 and c447b7308b.
        """
        self.vgic_inject_irq(d, virq)

    def vgic_clear_pending_irqs(self, v: Vcpu) -> None:
        """Do nothing: ``v`` keeps its pending vIRQs.

        Xen: vgic/vgic.c, vgic_clear_pending_irqs @ RELEASE-4.11.0 and c447b7308b, where a
        comment doubts the need.
        """

    def guest_eoi(self, d: Domain, virq: int, vcpu: int | None = None) -> None:
        """The guest ends ``virq``, then its vCPU traps and enters the guest again."""
        v = self.guest_hweoi(d, virq, vcpu)
        if v is not None:
            self.gic_restore_pending_irqs(v)

    def gic_clear_lrs(self, v: Vcpu) -> bool:
        """``v`` leaves the guest; return whether there was any vIRQ on its list.

        Unlike Xen, the operation has the name that it had before RELEASE-4.11.0.
        Xen: vgic/vgic.c, vgic_sync_from_lrs @ RELEASE-4.11.0 and c447b7308b.
        """
        return self.vgic_sync_from_lrs(v)

    def gic_restore_pending_irqs(self, v: Vcpu) -> None:
        """``v`` leaves the guest and enters it again: every way into the guest empties the LRs first.

        Unlike Xen, the operation has the name that it had before RELEASE-4.11.0.
        Xen: traps.c, enter_hypervisor_head, leave_hypervisor_tail @ RELEASE-4.11.0, which are
        enter_hypervisor_from_guest and leave_hypervisor_to_guest @ c447b7308b.
        """
        self.vgic_sync_from_lrs(v)
        self.vgic_sync_to_lrs(v)
