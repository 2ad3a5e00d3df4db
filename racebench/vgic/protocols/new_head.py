"""Xen as it is at c447b7308b, 20 August 2026, with its new vGIC (CONFIG_NEW_VGIC).

Lock order: desc -> ap_list -> irq_lock (do_IRQ), desc -> irq_lock (route,
release, enable, disable, ISPENDR, ICPENDR, a vCPU that leaves the guest),
ap_list -> irq_lock; desc -> sched (do_IRQ).  caps, or domctl, overlay and
dt_host, come before all of them.  Two ap_list_locks: the lower vcpu_id first.

irq.c, gic.c and the callers are those of head.  Since RELEASE-4.11.0 only the functions
here have changed in vgic/: routing is no longer refused while the domain
runs, so that "write-once" in vgic-v2.c no longer holds.
"""

from __future__ import annotations

from typing import ClassVar

from ..irq import Irq
from ..new.entry import Entry
from ..new.pending import PendingRegisters
from ..new.state import VgicDist, VgicIrq, vgic_cpu
from ..state import NULL, Domain, Vcpu
from ..vgic import Vgic
from .head import Head


class NewHead(PendingRegisters, Entry, Head):
    """vgic/ in the place of vgic.c, vgic-v2.c and gic-vgic.c.  There is no GICv3 of it."""

    ID = "new_head"
    SUMMARY = "the tree at c447b7308b (2026), its new vGIC: routing at any time, release only if is_dying"

    ESPIS = False
    ABSENT: ClassVar[frozenset[str]] = frozenset(("irouter",))

    vgic_is_valid_line = Vgic.vgic_is_valid_line
    is_assignable_irq = Irq.is_assignable_irq

    domain_type = VgicDist

    def may_connect_irq(self, irq: VgicIrq) -> bool:
        """Also not while it is active or pending.  Enter with irq_lock held.

        Neither its level nor its ap_list is tested, and ``active`` is the state
        when its vCPU last left the guest.
        Xen: vgic/vgic.c, in vgic_connect_hw_irq @ c447b7308b.
        """
        return super().may_connect_irq(irq) and not irq.active and not irq.pending_latch

    def vcpu_vgic_free(self, v: Vcpu) -> None:
        """Empty ``v``'s ap_list, without a lock: another thread may be adding to the list meanwhile.

        Xen: vgic/vgic-init.c, vcpu_vgic_free @ c447b7308b.
        """
        cpu = vgic_cpu(v)
        if cpu.ap_list_lock.locked():
            message = f"ap_list of vCPU {v.vcpu_id} is emptied while another CPU holds its lock"
            self.fault("list.corrupted", message, "ap_list")
        cpu.ap_list = ()

    def arch_domain_destroy(self, d: Domain) -> None:
        """The last reference to ``d`` is gone: free its vCPUs, the last one first, then its vGIC.

        Xen: common/domain.c, complete_domain_destroy @ c447b7308b.
        """
        for v in reversed(d.vcpu):
            self.vcpu_vgic_free(v)
            if v.sched is not NULL:
                v.sched.unit = False
        self.domain_vgic_free(d)
        d.destroyed = True
