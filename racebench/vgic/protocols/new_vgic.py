"""Xen's RELEASE-4.11.0 with its new vGIC (2018): irq_lock for each vIRQ, hw/hwintid instead of p.desc.

Lock order: desc -> ap_list -> irq_lock (do_IRQ), desc -> irq_lock (route,
release, enable, disable, a vCPU that leaves the guest), ap_list -> irq_lock.
Xen's own list (vgic.c) has ap_list before desc.  do_IRQ does not keep to it; no
harm, for nobody takes a desc with an ap_list_lock held.  Two ap_list_locks: the
lower vcpu_id first.

irq.c and gic.c are those of creation_guard, guard included: the new vGIC came
into the tree after it, and without it asserts what is not so.
"""

from __future__ import annotations

from errno import EINVAL

from ..new.hw_irq import HwIrq
from ..new.lrs import ListRegisters
from ..new.mmio import Mmio
from ..new.structures import NewVgicStructures
from ..state import NULL, Domain, Machine, Vcpu
from ..structures import Structures
from .creation_guard import CreationGuard


class NewVgic(Mmio, ListRegisters, HwIrq, CreationGuard):
    """vgic/ in the place of vgic.c, vgic-v2.c and gic-vgic.c."""

    ID = "new_vgic"
    SUMMARY = "RELEASE-4.11.0's new vGIC: irq_lock for each vIRQ; register writes drop it, take desc, assert"
    TREE = "228ab9992f"

    ABSENT = CreationGuard.ABSENT | {"irouter"}

    @classmethod
    def structures(cls, machine: Machine) -> Structures:
        """``struct vgic_irq`` and ``struct vgic_cpu``."""
        return NewVgicStructures(machine)

    def release_guest_irq(self, d: Domain, virq: int) -> int:
        """As at baseline, but asks the vGIC for the desc, once.  Takes and drops irq_lock first.

        Xen: irq.c, release_guest_irq @ RELEASE-4.11.0.
        """
        if not self.vgic_is_spi(d, virq):
            return -EINVAL
        desc = self.vgic_get_hw_irq_desc(d, virq)
        if desc is NULL:
            return -EINVAL
        return self.release_desc(d, virq, desc)

    def vgic_vcpu_inject_spi(self, d: Domain, virq: int, current: Vcpu | None = None) -> None:
        """What do_IRQ calls, with desc.lock held: now vgic_inject_irq.

        Xen: irq.c, do_IRQ @ RELEASE-4.11.0.
        """
        self.vgic_inject_irq(d, virq)

    def vgic_clear_pending_irqs(self, v: Vcpu) -> None:
        """Nothing: what ``v`` had pending it keeps.

        Xen: vgic/vgic.c, vgic_clear_pending_irqs @ RELEASE-4.11.0, where a comment doubts the need.
        """

    def guest_eoi(self, d: Domain, virq: int) -> None:
        """The guest ends ``virq``, then its vCPU traps and goes on.

        Xen: traps.c, enter_hypervisor_head, leave_hypervisor_tail @ RELEASE-4.11.0.
        """
        v = self.guest_hweoi(d, virq)
        if v is not None:
            self.gic_restore_pending_irqs(v)

    def gic_clear_lrs(self, v: Vcpu) -> None:
        """``v`` leaves the guest.

        Unlike Xen, the operation has the name that it had before RELEASE-4.11.0.
        Xen: vgic/vgic.c, vgic_sync_from_lrs @ RELEASE-4.11.0.
        """
        self.vgic_sync_from_lrs(v)

    def gic_restore_pending_irqs(self, v: Vcpu) -> None:
        """``v`` leaves the guest and enters it again: every way into the guest empties the LRs first.

        Unlike Xen, the operation has the name that it had before RELEASE-4.11.0.
        Xen: traps.c, enter_hypervisor_head, leave_hypervisor_tail @ RELEASE-4.11.0.
        """
        self.vgic_sync_from_lrs(v)
        self.vgic_sync_to_lrs(v)
