"""The guest's action of a pIRQ."""

from __future__ import annotations

from . import Rule

RULES = {
    "action.stale": Rule(
        "at rest: a pIRQ has a guest's action, but GUEST is clear", "action", "a stale guest action is left"
    ),
}
