"""What a machine looks like, as JSON values for reports."""

from __future__ import annotations

from typing import Any

from .state import INTERRUPT_RANK_MASK, NR_INTERRUPT_PER_RANK, NULL, Domain, Machine

_DESC_BITS = ("GUEST", "DISABLED", "INPROGRESS")
_P_BITS = ("ENABLED", "QUEUED", "VISIBLE", "MIGRATING")


def snapshot(machine: Machine) -> dict[str, Any]:
    """Both ends of every mapping, and each vCPU's lists: one row a vIRQ, pIRQ, vCPU."""
    return {
        "mapping": [row for d in machine.domains.values() for row in _mapping(d)],
        "descs": [
            {
                "pirq": irq,
                "handler": repr(desc.handler),
                "action": "-" if desc.action is NULL else repr(desc.action),
                "status": [bit for bit in _DESC_BITS if getattr(desc, bit)],
                "affinity": desc.affinity,
            }
            for irq, desc in sorted(machine.descs.items())
        ],
        "vcpus": [
            {
                "vcpu": v.vcpu_id,
                "pcpu": v.processor,
                "inflight": [p.irq for p in v.inflight_irqs],
                "lr_pending": [p.irq for p in v.lr_pending],
                "lrs": [entry[0] for entry in v.lrs if entry is not None],
            }
            for d in machine.domains.values()
            for v in d.vcpu
        ],
    }


def _mapping(d: Domain) -> list[dict[str, Any]]:
    rows = []
    for virq, p in sorted(d.pending_irqs.items()):
        rank = d.ranks[virq // NR_INTERRUPT_PER_RANK]
        offset = virq & INTERRUPT_RANK_MASK
        desc = p.desc
        rows.append(
            {
                "dom": d.domain_id,
                "virq": virq,
                "pirq": None if desc is NULL else desc.irq,
                "status": [bit for bit in _P_BITS if getattr(p, bit)],
                "ienable": rank.ienable >> offset & 1,
                "target": rank.irq[offset].vcpu,
            }
        )
    return rows
