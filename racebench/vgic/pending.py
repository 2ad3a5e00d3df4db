"""The structures of the vGIC of 2017: pending_irqs, ranks, and two lists for each vCPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..primitives import State
from .hardware import ListRegister
from .lists import INFLIGHT, LR_PENDING
from .state import (
    INTERRUPT_RANK_MASK,
    NR_INTERRUPT_PER_RANK,
    NULL,
    Domain,
    IrqDesc,
    Machine,
    PendingIrq,
    RankIrq,
    Vcpu,
)
from .structures import Structures, VirqRow

_BITS = ("ENABLED", "QUEUED", "VISIBLE", "MIGRATING")


class PendingIrqStructures(Structures):
    """vgic.h @ baf2950213, with a protocol's own pending_irq and rank entry."""

    def __init__(self, machine: Machine, pending_irq: type[PendingIrq], rank_irq: type[RankIrq]) -> None:
        super().__init__(machine)
        self.pending_irq, self.rank_irq = pending_irq, rank_irq

    def domain(self, domain_id: int, vcpus: int, nr_spis: int) -> Domain:
        d = Domain(domain_id, vcpus, nr_spis, self.pending_irq, self.rank_irq)
        d.structures = self
        return d

    def name_virq(self, d: Domain, virq: int) -> None:
        d.pending_irqs[virq]
        d.ranks[virq // NR_INTERRUPT_PER_RANK].irq[virq & INTERRUPT_RANK_MASK]

    def route_at_start(self, d: Domain, virq: int, desc: IrqDesc, enabled: bool) -> None:
        d.pending_irqs[virq].desc = desc
        if enabled:
            self.enable_at_start(d, virq)

    def enable_at_start(self, d: Domain, virq: int) -> None:
        d.ranks[virq // NR_INTERRUPT_PER_RANK].ienable |= 1 << (virq & INTERRUPT_RANK_MASK)
        d.pending_irqs[virq].ENABLED = True

    def aim_at_start(self, d: Domain, virq: int, v: Vcpu) -> None:
        d.ranks[virq // NR_INTERRUPT_PER_RANK].irq[virq & INTERRUPT_RANK_MASK].vcpu = v.vcpu_id

    def migrate_at_start(self, d: Domain, virq: int) -> None:
        d.pending_irqs[virq].MIGRATING = True

    def make_pending(self, v: Vcpu, virq: int, where: str, active: bool = False) -> None:
        p = v.domain.pending_irqs[virq]
        INFLIGHT.add_before(v, p, None)
        if where == "lr":
            lr = v.lr_mask.bit_length()
            v.lr_mask |= 1 << lr
            pirq = None if p.desc is NULL else p.desc.irq
            v.lrs = (*v.lrs[:lr], ListRegister(virq, pirq, not active, active), *v.lrs[lr + 1 :])
            p.ACTIVE = active
            p.VISIBLE = True
            p.lr = lr
            return
        p.QUEUED = True
        if where == "lr_pending":
            LR_PENDING.add_before(v, p, None)

    def states(self, d: Domain) -> Iterator[State]:
        yield d
        yield from d.vcpu
        yield from d.pending_irqs.values()
        for rank in d.ranks.values():
            yield rank
            yield from rank.irq.values()

    def tables(self, d: Domain) -> list[dict[int, Any]]:
        return [d.pending_irqs, d.ranks, *(rank.irq for rank in d.ranks.values())]

    def desc_of(self, d: Domain, virq: int) -> IrqDesc:
        return d.pending_irqs[virq].desc

    def row(self, d: Domain, virq: int) -> VirqRow:
        p = d.pending_irqs[virq]
        rank, offset = d.ranks[virq // NR_INTERRUPT_PER_RANK], virq & INTERRUPT_RANK_MASK
        target = d.vcpu[rank.irq[offset].vcpu]
        on = p.inflight_on
        return VirqRow(
            d,
            virq,
            p.desc,
            enabled=p.ENABLED,
            ienable=bool(rank.ienable >> offset & 1),
            on=on,
            target=target,
            # The EOI of a vIRQ that is MIGRATING moves list and line to the target.
            displaced=on is not NULL and on is not target and not p.MIGRATING,
            settled=not p.MIGRATING,
            stranded=not p.VISIBLE and (p.QUEUED if on is NULL else p.ENABLED and p.lr_queue_on is NULL),
        )

    def rows(self, d: Domain) -> list[VirqRow]:
        return [self.row(d, virq) for virq in d.pending_irqs]

    def gone(self, d: Domain, virq: int) -> bool:
        # VISIBLE is not used here: CPU_ON leaves it set, and another vIRQ may then take the LR.
        in_lr = any(lr is not None and lr.virq == virq for v in d.vcpu for lr in v.lrs)
        return d.pending_irqs[virq].inflight_on is NULL and not in_lr

    def waits(self, d: Domain, virq: int) -> bool:
        p = d.pending_irqs[virq]
        return p.inflight_on is not NULL and not p.VISIBLE

    def disagreement(self, d: Domain, virq: int) -> str:
        p = d.pending_irqs[virq]
        on, queued = p.inflight_on, p.lr_queue_on
        if on is NULL and queued is NULL and not any(v.inflight_irqs or v.lr_pending for v in d.vcpu):
            return ""
        lists = [(v, v.inflight_irqs.count(p), v.lr_pending.count(p)) for v in d.vcpu]
        wrong = any(
            inflight != (1 if v is on else 0) or pending != (1 if v is queued else 0)
            for v, inflight, pending in lists
        )
        if wrong or (queued is not NULL and on is not queued):
            return ", ".join(f"vCPU {v.vcpu_id}: {i} inflight, {q} lr_pending" for v, i, q in lists)
        return ""

    def status(self, d: Domain, virq: int) -> list[str]:
        return [bit for bit in _BITS if getattr(d.pending_irqs[virq], bit)]

    def queues(self, v: Vcpu) -> dict[str, list[Any]]:
        return {
            "inflight": [p.irq for p in v.inflight_irqs],
            "lr_pending": [p.irq for p in v.lr_pending],
            "lrs": [entry.virq for entry in v.lrs if entry is not None],
        }
