"""The mapping between vIRQs and pIRQs, and whether both sides are enabled."""

from __future__ import annotations

from collections.abc import Iterator

from .. import Broken, broken
from . import Machine, Rows, Rule

RULES = {
    "mapping.corrupted": Rule(
        "a GUEST desc whose vIRQ does not point back, or a p.desc whose desc is not its own",
        "mapping",
        "the mapping is corrupted",
    ),
    "mapping.double_success": Rule(
        "two routes of one vIRQ to different pIRQs both returned 0, no release between",
        "double",
        "two routes of one vIRQ both succeed",
    ),
    "mapping.lost_enable": Rule(
        "at rest: the vIRQ's ENABLED and the routed desc's DISABLED do not agree",
        "enable",
        "an enable is lost",
    ),
    "mapping.ienable_mismatch": Rule(
        "at rest: the rank's ienable bit differs from the vIRQ's ENABLED",
        "ienable",
        "a rank's ienable bit is wrong",
    ),
}


def corrupted(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """Every GUEST desc and its vIRQ point at each other, and no other desc has a guest's action."""
    for irq, desc in machine.descs.items():
        action = desc.action
        if not desc.GUEST:
            if action is not None and action.d is not None:
                message = f"pIRQ {irq} still has the action of {action}, but is not GUEST"
                yield broken("action.stale", message, ("action", "not GUEST"))
            continue
        if action is None:
            message = f"pIRQ {irq} is GUEST but has no action"
            yield broken("mapping.corrupted", message, ("GUEST without action",))
            continue
        if action.d is None:
            message = f"pIRQ {irq} is GUEST but belongs to Xen"
            yield broken("mapping.corrupted", message, ("GUEST with Xen's action",))
            continue
        back = action.d.desc_of(action.virq)
        if back is not desc:
            points = "nothing" if back is None else f"pIRQ {back.irq}"
            message = f"pIRQ {irq} is routed to vIRQ {action.virq}, but vIRQ {action.virq} points at {points}"
            yield broken("mapping.corrupted", message, ("desc.action", "p.desc"))
    for row in rows:
        virq, desc = row.virq, row.desc
        if desc is None:
            continue
        action = desc.action
        if action is None or not desc.GUEST:
            message = f"vIRQ {virq} points at pIRQ {desc.irq}, which is routed to nobody"
            yield broken("mapping.corrupted", message, ("p.desc", "nobody's desc"))
        elif action.d is not row.d or action.virq != virq:
            message = f"vIRQ {virq} points at pIRQ {desc.irq}, which is routed to {action}"
            yield broken("mapping.corrupted", message, ("p.desc", "another's desc"))


def lost_enable(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """The guest's enable bit and the line's state agree."""
    for row in rows:
        desc = row.desc
        if desc is None:
            continue
        if row.enabled and desc.DISABLED:
            message = f"vIRQ {row.virq} is enabled, but its pIRQ {desc.irq} is disabled: it will never fire"
            yield broken("mapping.lost_enable", message, ("ENABLED", "desc.DISABLED"))
        elif not row.enabled and not desc.DISABLED:
            message = f"vIRQ {row.virq} is disabled, but its pIRQ {desc.irq} is enabled"
            yield broken("mapping.lost_enable", message, ("not ENABLED", "desc enabled"))


def ienable_mismatch(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """The register that the guest reads agrees with ENABLED."""
    for row in rows:
        if row.ienable is not row.enabled:
            message = f"vIRQ {row.virq}: ienable is {int(row.ienable)}, ENABLED is {int(row.enabled)}"
            yield broken("mapping.ienable_mismatch", message, ("ienable", "ENABLED"))
