"""The rules of a machine at rest.

Each audit is a generator of broken rules over one machine and the rows of its
vIRQs; ``AUDITS`` lists them.  They run after all threads have ended, so they
take no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..findings import Broken, broken
from .language import Operation
from .state import NULL, Machine
from .structures import VirqRow

Results = Mapping[str, list[int | None] | None]
Rows = list[VirqRow]
Audit = Callable[[Machine, Rows], Iterator[Broken]]


def mapping_corrupted(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """Every GUEST desc and its vIRQ point at each other, and no other has a guest's action."""
    for irq, desc in machine.descs.items():
        action = desc.action
        if not desc.GUEST:
            if action is not NULL and action.d is not NULL:
                message = f"pIRQ {irq} still has the action of {action}, but is not GUEST"
                yield broken("action.stale", message, ("action", "not GUEST"))
            continue
        if action is NULL:
            message = f"pIRQ {irq} is GUEST but has no action"
            yield broken("mapping.corrupted", message, ("GUEST without action",))
            continue
        if action.d is NULL:
            message = f"pIRQ {irq} is GUEST but belongs to Xen"
            yield broken("mapping.corrupted", message, ("GUEST with Xen's action",))
            continue
        back = action.d.structures.desc_of(action.d, action.virq)
        if back is not desc:
            points = "nothing" if back is NULL else f"pIRQ {back.irq}"
            message = f"pIRQ {irq} is routed to vIRQ {action.virq}, but vIRQ {action.virq} points at {points}"
            yield broken("mapping.corrupted", message, ("desc.action", "p.desc"))
    for row in rows:
        virq, desc = row.virq, row.desc
        if desc is NULL:
            continue
        action = desc.action
        if action is NULL or not desc.GUEST:
            message = f"vIRQ {virq} points at pIRQ {desc.irq}, which is routed to nobody"
            yield broken("mapping.corrupted", message, ("p.desc", "nobody's desc"))
        elif action.d is not row.d or action.virq != virq:
            message = f"vIRQ {virq} points at pIRQ {desc.irq}, which is routed to {action}"
            yield broken("mapping.corrupted", message, ("p.desc", "another's desc"))


def mapping_lost_enable(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """The guest's enable and the line's agree."""
    for row in rows:
        desc = row.desc
        if desc is NULL:
            continue
        if row.enabled and desc.DISABLED:
            message = f"vIRQ {row.virq} is enabled, but its pIRQ {desc.irq} is disabled: it will never fire"
            yield broken("mapping.lost_enable", message, ("ENABLED", "desc.DISABLED"))
        elif not row.enabled and not desc.DISABLED:
            message = f"vIRQ {row.virq} is disabled, but its pIRQ {desc.irq} is enabled"
            yield broken("mapping.lost_enable", message, ("not ENABLED", "desc enabled"))


def mapping_ienable_mismatch(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """The register the guest reads says what is so."""
    for row in rows:
        if row.ienable is not row.enabled:
            message = f"vIRQ {row.virq}: ienable is {int(row.ienable)}, ENABLED is {int(row.enabled)}"
            yield broken("mapping.ienable_mismatch", message, ("ienable", "ENABLED"))


def irq_lost_eoi(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """No acknowledged IRQ ended without a priority drop."""
    for irq, desc in machine.descs.items():
        if desc.lost_eoi:
            message = f"pIRQ {irq} was acknowledged, but ended through the none handler: no priority drop"
            yield broken("irq.lost_eoi", message, ("none.end",))


def irq_wrong_vcpu(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """What is inflight is on its target's list."""
    for row in rows:
        if row.displaced:
            message = (
                f"vIRQ {row.virq} is inflight on vCPU {row.on.vcpu_id}, "
                f"but its target is vCPU {row.target.vcpu_id}"
            )
            yield broken("irq.wrong_vcpu", message, ("inflight", "target"))


def irq_wrong_affinity(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """An enabled line goes to the pCPU of its target vCPU."""
    for row in rows:
        desc = row.desc
        if desc is NULL or desc.DISABLED or not row.settled or row.target is NULL:
            continue
        pcpu = row.target.processor
        if desc.affinity != pcpu:
            message = (
                f"pIRQ {desc.irq} goes to pCPU {desc.affinity}, "
                f"but the target of vIRQ {row.virq} runs on pCPU {pcpu}"
            )
            yield broken("irq.wrong_affinity", message, ("affinity", "target"))


def irq_stuck_inprogress(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """What is in progress can still be ended by somebody."""
    for irq, desc in machine.descs.items():
        if not desc.INPROGRESS:
            continue
        action = desc.action
        if action is NULL:
            message = f"pIRQ {irq} is INPROGRESS but belongs to nobody"
            yield broken("irq.stuck_inprogress", message, ("INPROGRESS", "no action"))
        elif action.d is not NULL:
            row = action.d.structures.row(action.d, action.virq)
            up = row.target is NULL or not row.target.VPF_down
            if up and action.d.structures.gone(action.d, action.virq):
                message = f"pIRQ {irq} is INPROGRESS, but vIRQ {action.virq} is neither inflight nor in an LR"
                yield broken("irq.stuck_inprogress", message, ("INPROGRESS", "not inflight"))


def list_corrupted(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """A vIRQ queues on the vCPU on which it is inflight, once, and its links say so."""
    for row in rows:
        where = row.d.structures.disagreement(row.d, row.virq)
        if where:
            message = f"vIRQ {row.virq} and the lists do not agree ({where})"
            yield broken("list.corrupted", message, ("links", "lists"))


def irq_lost(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """What the guest is to get is on its way to it."""
    for row in rows:
        if row.stranded and (row.target is NULL or not row.target.VPF_down):
            message = f"vIRQ {row.virq} is pending, but in no LR, and nothing will put it into one"
            yield broken("irq.lost", message, ("pending", "no LR"))


def irq_line_dead(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """Somebody is left who deactivates a line that is active: else it never fires again."""
    active = [
        (irq, desc) for irq, desc in machine.descs.items() if desc.line is not NULL and desc.line.active
    ]
    if not active:
        return
    held = {lr.pirq for d in machine.domains.values() for v in d.vcpu for lr in v.lrs if lr is not None}
    for irq, desc in active:
        action = desc.action
        if action is NULL or action.d is NULL or not desc.GUEST:
            message = f"the line of pIRQ {irq} is active, and no guest has it that would end it"
            yield broken("irq.line_dead", message, ("active", "not GUEST"))
            continue
        row = action.d.structures.row(action.d, action.virq)
        up = row.target is NULL or not row.target.VPF_down
        if up and irq not in held and not action.d.structures.waits(action.d, action.virq):
            message = f"the line of pIRQ {irq} is active, but vIRQ {action.virq} is in no LR, nor will it be"
            yield broken("irq.line_dead", message, ("active", "no LR"))


def reservations(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """A bit of allocated_irqs is set exactly for what somebody has routed, or has as a device.

    It is freed with its domain.
    """
    for row in rows if any(d.allocated_irqs for d in machine.domains.values()) else ():
        d = row.d
        index = d.allocated_index(row.virq)
        if d.destroyed or index not in d.allocated_irqs:
            continue
        bit = d.allocated_irqs[index]
        if bit.taken and row.desc is NULL and not bit.device:
            message = f"vIRQ {row.virq} is reserved, but nothing is routed to it"
            yield broken("reservation.leaked", message, ("allocated_irqs", "p.desc"))
        elif not bit.taken and row.desc is not NULL:
            message = f"pIRQ {row.desc.irq} is routed to vIRQ {row.virq}, which is not reserved"
            yield broken("reservation.missing", message, ("p.desc", "allocated_irqs"))


def lock_irqs_on(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """No desc.lock was held with interrupts on; all but do_IRQ take it with them off."""
    for irq, desc in machine.descs.items():
        if desc.irqs_on:
            message = f"do_IRQ held desc[{irq}] with interrupts on, and others take it with them off"
            yield broken("lock.irqs_on", message, ("desc.lock",))


AUDITS: tuple[Audit, ...] = (
    mapping_corrupted,
    mapping_lost_enable,
    mapping_ienable_mismatch,
    irq_lost_eoi,
    irq_wrong_vcpu,
    irq_wrong_affinity,
    irq_stuck_inprogress,
    list_corrupted,
    irq_lost,
    irq_line_dead,
    reservations,
    lock_irqs_on,
)


def audit(machine: Machine) -> list[Broken]:
    """Everything that is wrong with ``machine`` at rest, or went wrong on the way there."""
    rows = [row for d in machine.domains.values() for row in d.structures.rows(d)]
    return [*machine.faults.told, *(rule for check in AUDITS for rule in check(machine, rows))]


class DoubleSuccess:
    """Two routes of one vIRQ to different pIRQs both returned 0, no release between.

    Made once a program, from its operations.  With a successful release of
    that vIRQ anywhere, the order is not known from return codes alone, and
    nothing is said.
    """

    def __init__(self, threads: Mapping[str, tuple[Operation, ...]]) -> None:
        routes: dict[tuple[int, int], list[tuple[str, int, int]]] = {}
        self._releases: list[tuple[str, int, int | None]] = []
        for name, operations in threads.items():
            for i, op in enumerate(operations):
                if op.name == "route":
                    key = (op.value("dom"), op.value("virq"))
                    routes.setdefault(key, []).append((name, i, op.value("pirq")))
                elif op.name in ("release", "destroy"):
                    virq = op.value("virq") if op.name == "release" else None
                    self._releases.append((name, i, virq))
        self._routes = [
            (virq, asked) for (_, virq), asked in routes.items() if len({pirq for _, _, pirq in asked}) > 1
        ]

    def audit(self, results: Results) -> Iterator[Broken]:
        for virq, asked in self._routes:
            pirqs = set()
            for name, i, pirq in asked:
                if _code(results, name, i) == 0:
                    pirqs.add(pirq)
            if len(pirqs) > 1 and not self._released(virq, results):
                both = " and ".join(str(p) for p in sorted(pirqs))
                message = f"routing vIRQ {virq} to pIRQs {both} succeeded both times"
                yield broken("mapping.double_success", message, ("route", "route"))

    def _released(self, virq: int, results: Results) -> bool:
        return any(
            which in (virq, None) and _code(results, name, i) in (0, None)
            for name, i, which in self._releases
        )


def _code(results: Results, name: str, i: int) -> int | None:
    """What operation ``i`` of thread ``name`` returned; -1 if it did not end."""
    codes = results.get(name)
    return codes[i] if codes is not None and i < len(codes) else -1
