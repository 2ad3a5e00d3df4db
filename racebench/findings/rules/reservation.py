"""The bits of allocated_irqs."""

from __future__ import annotations

from collections.abc import Iterator

from .. import Broken, broken
from . import Machine, Rows, Rule

RULES = {
    "reservation.leaked": Rule(
        "at rest: a vIRQ is reserved, but not routed, and no virtual device has it",
        "leak",
        "a reservation is leaked",
    ),
    "reservation.missing": Rule(
        "at rest: a vIRQ that a hypercall has routed is not reserved",
        "reserve",
        "a routed vIRQ is left unreserved",
    ),
    "reservation.double_free": Rule(
        "a reservation is given back that is not there, or is another's",
        "refree",
        "a reservation is freed twice",
    ),
    "reservation.out_of_bounds": Rule(
        "a bit beyond allocated_irqs is cleared", "bounds", "a bit out of bounds is cleared"
    ),
}


def reservations(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """A bit of allocated_irqs is set exactly if a vIRQ is routed or belongs to a virtual device.

    The bits are freed with their domain.
    """
    for row in rows if any(d.allocated_irqs for d in machine.domains.values()) else ():
        d = row.d
        index = d.allocated_index(row.virq)
        if d.destroyed or index not in d.allocated_irqs:
            continue
        bit = d.allocated_irqs[index]
        if bit.taken and row.desc is None and not bit.device:
            message = f"vIRQ {row.virq} is reserved, but nothing is routed to it"
            yield broken("reservation.leaked", message, ("allocated_irqs", "p.desc"))
        elif not bit.taken and row.desc is not None:
            message = f"pIRQ {row.desc.irq} is routed to vIRQ {row.virq}, which is not reserved"
            yield broken("reservation.missing", message, ("p.desc", "allocated_irqs"))
