"""How locks are held."""

from __future__ import annotations

from collections.abc import Iterator

from .. import Broken, broken
from . import Kind, Machine, Rows, Rule

RULES = {
    "lock.leaked": Rule("a thread ends holding a lock", "held", "a thread ends with a lock held"),
    "lock.irqs_on": Rule(
        "a lock that is to be taken with interrupts off is held with interrupts on",
        "irqs on",
        "a lock is held with interrupts on",
        kind=Kind.PREDICTION,
        benign=True,
    ),
    "lock.misuse": Rule(
        "a thread releases a lock it does not hold", "misuse", "a lock is released that is not held"
    ),
}


def irqs_on(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """No desc.lock was held with interrupts on; all functions but do_IRQ take it with them off."""
    for irq, desc in machine.descs.items():
        if desc.irqs_on:
            message = f"do_IRQ held desc[{irq}] with interrupts on, and others take it with them off"
            yield broken("lock.irqs_on", message, ("desc.lock",))
