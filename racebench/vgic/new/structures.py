"""The new vGIC's structures, for the builder, the audits and the snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...primitives import State
from ..hardware import ListRegister
from ..state import NULL, Domain, IrqDesc, Vcpu
from ..structures import Structures, VirqRow
from .state import VgicDist, irq_is_pending, vgic_cpu, vgic_dist, vgic_get_irq

_BITS = ("hw", "enabled", "line_level", "pending_latch", "active")


class NewVgicStructures(Structures):
    """new_vgic.h @ RELEASE-4.11.0 and c447b7308b."""

    def domain(self, domain_id: int, vcpus: int, nr_spis: int) -> Domain:
        d = VgicDist(domain_id, vcpus, nr_spis)
        d.structures = self
        return d

    def name_virq(self, d: Domain, virq: int) -> None:
        """An SPI has no target until the guest gives it one.

        A domain that runs, or has run, is one whose guest aimed them all at its
        first vCPU when it booted, as Linux does, and switched its distributor on.
        """
        irq = vgic_get_irq(d, virq)
        vgic_dist(d).enabled = d.creation_finished
        if d.creation_finished:
            irq.targets, irq.target_vcpu = 1, vgic_cpu(d.vcpu[0])

    def route_at_start(self, d: Domain, virq: int, desc: IrqDesc, enabled: bool) -> None:
        irq = vgic_get_irq(d, virq)
        irq.hw = True
        irq.hwintid = desc.irq
        if enabled:
            self.enable_at_start(d, virq)

    def enable_at_start(self, d: Domain, virq: int) -> None:
        vgic_get_irq(d, virq).enabled = True

    def aim_at_start(self, d: Domain, virq: int, v: Vcpu) -> None:
        irq = vgic_get_irq(d, virq)
        irq.targets, irq.target_vcpu = 1 << v.vcpu_id, vgic_cpu(v)

    def migrate_at_start(self, d: Domain, virq: int) -> None:
        """Do nothing: the next trap moves it to its target, whichever vCPU wrote the register."""

    def make_pending(self, v: Vcpu, virq: int, where: str, active: bool = False) -> None:
        irq, v = vgic_get_irq(v.domain, virq), vgic_cpu(v)
        if irq.target_vcpu is NULL:
            self.aim_at_start(v.domain, virq, v)
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

    def states(self, d: Domain) -> Iterator[State]:
        yield d
        yield from d.vcpu
        yield from vgic_dist(d).spis.values()

    def tables(self, d: Domain) -> list[dict[int, Any]]:
        return [vgic_dist(d).spis]

    def desc_of(self, d: Domain, virq: int) -> IrqDesc:
        irq = vgic_get_irq(d, virq)
        return self.machine.descs[irq.hwintid] if irq.hw else NULL

    def row(self, d: Domain, virq: int) -> VirqRow:
        irq = vgic_get_irq(d, virq)
        return VirqRow(
            d,
            virq,
            self.desc_of(d, virq),
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

    def rows(self, d: Domain) -> list[VirqRow]:
        return [self.row(d, virq) for virq in vgic_dist(d).spis]

    def gone(self, d: Domain, virq: int) -> bool:
        # It is on no list, and nothing will put it on one: enabling it would,
        # but a new target does not, nor does its line, which is active.
        irq = vgic_get_irq(d, virq)
        deliverable = irq.enabled and irq.target_vcpu is not NULL
        return irq.vcpu is NULL and (not irq_is_pending(irq) or deliverable)

    def waits(self, d: Domain, virq: int) -> bool:
        irq = vgic_get_irq(d, virq)
        return irq_is_pending(irq) or irq.active

    def disagreement(self, d: Domain, virq: int) -> str:
        # When a domain is freed, its vCPUs' lists are freed before its vIRQs.
        if d.destroyed:
            return ""
        irq = vgic_get_irq(d, virq)
        lists = [(v, vgic_cpu(v).ap_list.count(irq)) for v in d.vcpu]
        if all(n == (1 if v is irq.vcpu else 0) for v, n in lists):
            return ""
        return ", ".join(f"vCPU {v.vcpu_id}: {n} on ap_list" for v, n in lists)

    def status(self, d: Domain, virq: int) -> list[str]:
        return [bit for bit in _BITS if getattr(vgic_get_irq(d, virq), bit)]

    def queues(self, v: Vcpu) -> dict[str, list[Any]]:
        return {
            "ap_list": [irq.intid for irq in vgic_cpu(v).ap_list],
            "lrs": [entry.virq for entry in v.lrs if entry is not None],
        }
