"""The state of a machine, as JSON values for reports."""

from __future__ import annotations

from typing import Any

from .state import NULL, Domain, Machine, VirqRow

_DESC_BITS = ("GUEST", "DISABLED", "INPROGRESS")


def snapshot(machine: Machine) -> dict[str, Any]:
    """Both ends of every mapping, and each vCPU's lists: a row for each vIRQ, pIRQ and vCPU."""
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
            {"vcpu": v.vcpu_id, "pcpu": v.processor, **d.queues(v)}
            for d in machine.domains.values()
            for v in d.vcpu
        ],
    }


Glimpse = tuple[tuple[Any, ...], ...]
"""The state of a machine at rest, as far as it tells states apart: a row for each vIRQ and pIRQ."""


def glimpse(machine: Machine) -> Glimpse:
    """The present state of ``machine``.

    A vIRQ's row: domain, virq, pirq, enabled, ienable, list, its vCPU, target;
    a pIRQ's: pirq, GUEST, its action's virq, INPROGRESS, DISABLED, affinity.
    """
    virqs = [
        (
            d.domain_id,
            row.virq,
            None if row.desc is NULL else row.desc.irq,
            row.enabled,
            row.ienable,
            *_queue(d, row),
            None if row.target is NULL else row.target.vcpu_id,
        )
        for d in machine.domains.values()
        for row in d.rows()
    ]
    descs = [
        (
            irq,
            desc.GUEST,
            None if desc.action is NULL else desc.action.virq,
            desc.INPROGRESS,
            desc.DISABLED,
            desc.affinity,
        )
        for irq, desc in machine.descs.items()
    ]
    return *virqs, *descs


def _queue(d: Domain, row: VirqRow) -> tuple[str, int | None]:
    """The list of the vIRQ, named as in scenario files, and the list's vCPU."""
    if row.on is NULL:
        return "", None
    queues = d.queues(row.on)
    if row.virq in queues["lrs"]:
        return "lr", row.on.vcpu_id
    return "inflight" if row.virq not in queues.get(
        "lr_pending", [row.virq]
    ) else "lr_pending", row.on.vcpu_id


def _mapping(d: Domain) -> list[dict[str, Any]]:
    return [
        {
            "dom": d.domain_id,
            "virq": row.virq,
            "pirq": None if row.desc is NULL else row.desc.irq,
            "status": d.status(row.virq),
            "ienable": int(row.ienable),
            "target": None if row.target is NULL else row.target.vcpu_id,
        }
        for row in sorted(d.rows(), key=lambda row: row.virq)
    ]
