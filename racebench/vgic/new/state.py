"""The state of the new vGIC: a vgic_irq for each vIRQ, an ap_list for each vCPU.

No operation writes GICD_ICFGR or GICD_CTLR: ``config`` and the distributor's
``enabled`` keep their initial values, and reading them is no step.
Unlike Xen, there are neither LPIs nor the references they need.
"""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from ...primitives import Lock, State, shared
from ..hardware import ListRegister
from ..state import NULL, Domain, IrqDesc, IrqType, Machine, Vcpu, VirqRow
from ..tables import OnDemand


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
    bits = "hw", "enabled", "line_level", "pending_latch", "active"

    def __init__(self, machine: Machine, domain_id: int, vcpus: int, nr_spis: int) -> None:
        super().__init__(machine, domain_id, vcpus, nr_spis)
        self.spis: OnDemand[VgicIrq] = OnDemand(partial(VgicIrq, self))
        # A function of the other vGIC that is called here by mistake fails at once.
        del self.pending_irqs, self.ranks

    def make_vcpu(self, vcpu_id: int) -> Vcpu:
        return VgicCpu(self, vcpu_id)

    # -- at rest, for the builder, the audits and reports

    def name_virq(self, virq: int) -> None:
        """An SPI has no target until the guest gives it one.

        A domain that runs, or has run, is one whose guest aimed them all at its
        first vCPU when it booted, as Linux does, and switched its distributor on.
        """
        irq = self.spis[virq]
        self.enabled = self.creation_finished
        if self.creation_finished:
            irq.targets, irq.target_vcpu = 1, vgic_cpu(self.vcpu[0])

    def route_at_start(self, virq: int, desc: IrqDesc, enabled: bool) -> None:
        irq = self.spis[virq]
        irq.hw = True
        irq.hwintid = desc.irq
        if enabled:
            self.enable_at_start(virq)

    def enable_at_start(self, virq: int) -> None:
        self.spis[virq].enabled = True

    def aim_at_start(self, virq: int, v: Vcpu) -> None:
        irq = self.spis[virq]
        irq.targets, irq.target_vcpu = 1 << v.vcpu_id, vgic_cpu(v)

    def migrate_at_start(self, virq: int) -> None:
        """Do nothing: the next trap moves it to its target, whichever vCPU wrote the register."""

    def make_pending(self, v: Vcpu, virq: int, where: str, active: bool = False) -> None:
        irq, v = self.spis[virq], vgic_cpu(v)
        if irq.target_vcpu is NULL:
            self.aim_at_start(virq, v)
        if where == "lr":
            lr = v.used_lrs
            v.used_lrs = lr + 1
            pirq = irq.hwintid if irq.hw else None
            v.lrs = (*v.lrs[:lr], ListRegister(virq, pirq, not active, active), *v.lrs[lr + 1 :])
            irq.active = active
        else:
            irq.pending_latch = True
        if where != "inflight" or irq.enabled:
            # An interrupt that came while it was disabled is on no list: enabling it queues it.
            v.ap_list = (*v.ap_list, irq)
            irq.vcpu = v

    def tables(self) -> list[dict[int, Any]]:
        return [self.spis, self.allocated_irqs]

    def desc_of(self, virq: int) -> IrqDesc:
        irq = self.spis[virq]
        return self.machine.descs[irq.hwintid] if irq.hw else NULL

    def row(self, virq: int) -> VirqRow:
        irq = self.spis[virq]
        return VirqRow(
            self,
            virq,
            self.desc_of(virq),
            enabled=irq.enabled,
            # The register reads this same bit.
            ienable=irq.enabled,
            on=irq.vcpu,
            target=irq.target_vcpu,
            # It is moved the next time its vCPU leaves the guest.
            displaced=False,
            # ITARGETSR moves the line at once.
            settled=True,
            # Also while the distributor is off: switching it on queues nothing.
            stranded=irq.vcpu is NULL and irq_is_pending(irq) and irq.enabled and irq.target_vcpu is not NULL,
        )

    def gone(self, virq: int) -> bool:
        # It is on no list, and nothing will put it on one: enabling it would,
        # but a new target does not, nor does its line, which is active.
        irq = self.spis[virq]
        deliverable = irq.enabled and irq.target_vcpu is not NULL
        return irq.vcpu is NULL and (not irq_is_pending(irq) or deliverable)

    def waits(self, virq: int) -> bool:
        irq = self.spis[virq]
        return irq_is_pending(irq) or irq.active

    def disagreement(self, virq: int) -> str:
        # When a domain is freed, its vCPUs' lists are freed before its vIRQs.
        if self.destroyed:
            return ""
        irq = self.spis[virq]
        lists = [(v, vgic_cpu(v).ap_list.count(irq)) for v in self.vcpu]
        if all(n == (1 if v is irq.vcpu else 0) for v, n in lists):
            return ""
        return ", ".join(f"vCPU {v.vcpu_id}: {n} on ap_list" for v, n in lists)

    def queues(self, v: Vcpu) -> dict[str, list[Any]]:
        return {
            "ap_list": [irq.intid for irq in vgic_cpu(v).ap_list],
            "lrs": [entry.virq for entry in v.lrs if entry is not None],
        }


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
