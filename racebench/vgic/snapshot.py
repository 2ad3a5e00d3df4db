"""What a machine looks like, as JSON values for reports."""

from __future__ import annotations

from typing import Any

from .state import NULL, Domain, Machine

_DESC_BITS = ("GUEST", "DISABLED", "INPROGRESS")


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
            {"vcpu": v.vcpu_id, "pcpu": v.processor, **d.structures.queues(v)}
            for d in machine.domains.values()
            for v in d.vcpu
        ],
    }


def _mapping(d: Domain) -> list[dict[str, Any]]:
    return [
        {
            "dom": d.domain_id,
            "virq": row.virq,
            "pirq": None if row.desc is NULL else row.desc.irq,
            "status": d.structures.status(d, row.virq),
            "ienable": int(row.ienable),
            "target": None if row.target is NULL else row.target.vcpu_id,
        }
        for row in sorted(d.structures.rows(d), key=lambda row: row.virq)
    ]
