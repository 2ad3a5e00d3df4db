"""An interrupt that is lost, stuck, or in the wrong place."""

from __future__ import annotations

from collections.abc import Iterator

from .. import Broken, broken
from . import Machine, Rows, Rule

RULES = {
    "irq.lost_eoi": Rule(
        "an acknowledged IRQ ended through the none handler: no priority drop",
        "EOI",
        "the EOI of an interrupt is lost",
    ),
    "irq.wrong_vcpu": Rule(
        "at rest: an inflight vIRQ on the list of a vCPU that is not its target, not MIGRATING",
        "vCPU",
        "a vIRQ is inflight on the wrong vCPU",
    ),
    "irq.wrong_affinity": Rule(
        "at rest: an enabled routed desc whose affinity is not its target's pCPU",
        "affinity",
        "an interrupt goes to the wrong pCPU",
    ),
    "irq.stuck_inprogress": Rule(
        "INPROGRESS, but the vIRQ is neither inflight nor in an LR, and its vCPU is up",
        "stuck",
        "an interrupt is stuck in progress",
    ),
    "irq.lost": Rule(
        "at rest: a vIRQ is to be delivered to a vCPU that is up, and nothing is due that would",
        "lost",
        "an interrupt is lost",
    ),
    "irq.line_dead": Rule(
        "at rest: a line is active, and nobody is left who would deactivate it",
        "line",
        "a line stays active for good",
    ),
    "irq.stale_pending": Rule(
        "a pIRQ is given back with the pending latch that its old owner set",
        "pending",
        "a stale pending latch is left",
    ),
    "irq.wrong_owner": Rule(
        "INPROGRESS cleared, or a line deactivated, for a vIRQ whose pIRQ it is no longer",
        "owner",
        "an interrupt is ended for the wrong owner",
    ),
}


def lost_eoi(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """No acknowledged IRQ ended without a priority drop."""
    for irq, desc in machine.descs.items():
        if desc.lost_eoi:
            message = f"pIRQ {irq} was acknowledged, but ended through the none handler: no priority drop"
            yield broken("irq.lost_eoi", message, ("none.end",))


def wrong_vcpu(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """A vIRQ that is inflight is on its target's list."""
    for row in rows:
        if row.displaced:
            message = (
                f"vIRQ {row.virq} is inflight on vCPU {row.on.vcpu_id}, "
                f"but its target is vCPU {row.target.vcpu_id}"
            )
            yield broken("irq.wrong_vcpu", message, ("inflight", "target"))


def wrong_affinity(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """An enabled line goes to the pCPU of its target vCPU."""
    for row in rows:
        desc = row.desc
        if desc is None or desc.DISABLED or not row.settled or row.target is None:
            continue
        pcpu = row.target.processor
        if desc.affinity != pcpu:
            message = (
                f"pIRQ {desc.irq} goes to pCPU {desc.affinity}, "
                f"but the target of vIRQ {row.virq} runs on pCPU {pcpu}"
            )
            yield broken("irq.wrong_affinity", message, ("affinity", "target"))


def stuck_inprogress(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """If a pIRQ is INPROGRESS, something can still end it."""
    for irq, desc in machine.descs.items():
        if not desc.INPROGRESS:
            continue
        action = desc.action
        if action is None:
            message = f"pIRQ {irq} is INPROGRESS but belongs to nobody"
            yield broken("irq.stuck_inprogress", message, ("INPROGRESS", "no action"))
        elif action.d is not None:
            row = action.d.row(action.virq)
            up = row.target is None or not row.target.VPF_down
            if up and action.d.gone(action.virq):
                message = f"pIRQ {irq} is INPROGRESS, but vIRQ {action.virq} is neither inflight nor in an LR"
                yield broken("irq.stuck_inprogress", message, ("INPROGRESS", "not inflight"))


def lost(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """A pending vIRQ is on its way to the guest."""
    for row in rows:
        if row.stranded and (row.target is None or not row.target.VPF_down):
            message = f"vIRQ {row.virq} is pending, but in no LR, and nothing will put it into one"
            yield broken("irq.lost", message, ("pending", "no LR"))


def line_dead(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """If a line is active, something will deactivate it; else it never fires again."""
    active = [
        (irq, desc) for irq, desc in machine.descs.items() if desc.line is not None and desc.line.active
    ]
    if not active:
        return
    held = {lr.pirq for d in machine.domains.values() for v in d.vcpu for lr in v.lrs if lr is not None}
    for irq, desc in active:
        action = desc.action
        if action is None or action.d is None or not desc.GUEST:
            message = f"the line of pIRQ {irq} is active, and no guest has it that would end it"
            yield broken("irq.line_dead", message, ("active", "not GUEST"))
            continue
        row = action.d.row(action.virq)
        up = row.target is None or not row.target.VPF_down
        if up and irq not in held and not action.d.waits(action.virq):
            message = f"the line of pIRQ {irq} is active, but vIRQ {action.virq} is in no LR, nor will it be"
            yield broken("irq.line_dead", message, ("active", "no LR"))
