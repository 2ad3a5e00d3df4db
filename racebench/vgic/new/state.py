"""The state of the new vGIC: a vgic_irq for each vIRQ, an ap_list for each vCPU.

No operation writes GICD_ICFGR or GICD_CTLR: ``config`` and the distributor's
``enabled`` keep their initial values, and reading them is no step.
Unlike Xen, there are neither LPIs nor the references they need.
"""

from __future__ import annotations

from typing import Any, cast

from ...primitives import Lock, State, shared
from ..state import NULL, Domain, IrqType, OnDemand, Vcpu


class VgicIrq(State):
    """One virtual SPI, ``struct vgic_irq``.

    ``irq_lock`` guards every field.  ``hw`` says that the pIRQ ``hwintid`` is
    behind it.  ``vcpu`` is the one on whose ap_list it is (that vCPU's
    ap_list_lock guards it too), ``target_vcpu`` the one the guest wants: they
    may differ until ``vcpu`` next leaves the guest.  ``config`` is edge, as Xen initialises
    it, unless the machine's builder sets level: then ``line_level`` counts too.
    """

    config = IrqType.EDGE_RISING

    hw: bool = shared(False)
    hwintid: int = shared(0)
    enabled: bool = shared(False)
    line_level: bool = shared(False)
    pending_latch: bool = shared(False)
    active: bool = shared(False)
    priority: int = shared(0)
    targets: int = shared(0)
    target_vcpu: VgicCpu = shared(NULL)
    vcpu: VgicCpu = shared(NULL)

    def __init__(self, domain: Domain, intid: int) -> None:
        self.domain, self.intid = domain, intid
        self.irq_lock = Lock("irq_lock", domain.index(intid))

    def label(self) -> str:
        return f"irq[{self.domain.index(self.intid)}]"


class VgicCpu(Vcpu):
    """One vCPU with its ``struct vgic_cpu``.

    ``ap_list`` holds its active or pending vIRQs, in order of arrival, and vIRQs that
    were so until recently.  ``ap_list_lock`` guards it, except for the test whether it is
    empty, which Xen makes without the lock (and says why that is harmless).  The first
    ``used_lrs`` of ``lrs`` are in use; only the pCPU that runs the vCPU touches
    them.  Unlike Xen, the fields of the vGIC of 2017 are there too, unused.
    """

    ap_list: tuple[VgicIrq, ...] = shared((), atomic=True)
    used_lrs: int = shared(0)

    def __init__(self, domain: Domain, vcpu_id: int) -> None:
        self.domain, self.vcpu_id = domain, vcpu_id
        self.ap_list_lock = Lock("ap_list", domain.index(vcpu_id))
        self.sched = NULL


class VgicDist(Domain):
    """One guest with its ``struct vgic_dist``.  ``enabled``: the guest has switched it on."""

    enabled = True

    def __init__(self, domain_id: int, vcpus: int, nr_spis: int) -> None:
        super().__init__(domain_id, vcpus, nr_spis)
        self.spis: OnDemand[VgicIrq] = OnDemand(self._make_irq)
        # A function of the other vGIC that is called here by mistake fails at once.
        del self.pending_irqs, self.ranks

    def make_vcpu(self, vcpu_id: int) -> Vcpu:
        return VgicCpu(self, vcpu_id)

    def _make_irq(self, intid: int) -> VgicIrq:
        return VgicIrq(self, intid)


def vgic_dist(d: Domain) -> VgicDist:
    """``d->arch.vgic``: an address, not a step."""
    return cast("VgicDist", d)


def vgic_cpu(v: Any) -> VgicCpu:
    """``v->arch.vgic``: an address, not a step."""
    return cast("VgicCpu", v)


def vgic_get_irq(d: Domain, intid: int) -> VgicIrq:
    """The vgic_irq of SPI ``intid``: an address, not a step.

    Xen: vgic/vgic.c, vgic_get_irq @ RELEASE-4.11.0 and c447b7308b.
    """
    return vgic_dist(d).spis[intid]


def irq_is_pending(irq: VgicIrq) -> bool:
    """Whether ``irq`` is pending.  Enter with irq_lock held.

    Xen: vgic/vgic.h, irq_is_pending @ RELEASE-4.11.0 and c447b7308b.
    """
    if irq.config is IrqType.EDGE_RISING:
        return irq.pending_latch
    return irq.pending_latch or irq.line_level
