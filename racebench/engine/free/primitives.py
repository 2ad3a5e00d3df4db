"""The free run's own class for each primitive."""

from __future__ import annotations

from ...primitives import Condition, Primitive, RWLock, Thread
from .mutex import mutexes
from .parking import Free, FreeCondition, FreeRWLock, FreeThread, Run


def substitutes(run: Run) -> dict[type, type]:
    """Return the base of every primitive in ``run``, and the classes of those that need more."""
    base: type = type("Free", (Free,), {"_run": run})
    return {
        Primitive: base,
        RWLock: type("FreeRWLock", (FreeRWLock, base), {}),
        Thread: type("FreeThread", (FreeThread, base), {}),
        Condition: type("FreeCondition", (FreeCondition, base), {}),
        **mutexes(run, base),
    }
