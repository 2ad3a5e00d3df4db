"""The queues of a vCPU."""

from __future__ import annotations

from collections.abc import Iterator

from .. import Broken, broken
from . import Machine, Rows, Rule

RULES = {
    "list.corrupted": Rule(
        "a node inserted twice, or a list edited without its owner's lock", "list", "a list is corrupted"
    ),
}


def corrupted(machine: Machine, rows: Rows) -> Iterator[Broken]:
    """A vIRQ queues on the vCPU on which it is inflight, once, and its links say so."""
    for row in rows:
        where = row.d.disagreement(row.virq)
        if where:
            message = f"vIRQ {row.virq} and the lists do not agree ({where})"
            yield broken("list.corrupted", message, ("links", "lists"))
