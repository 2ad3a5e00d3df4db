"""The rules that are broken on the way, where the machine goes on."""

from __future__ import annotations

from ..findings import Broken
from ..primitives import State, shared


class Faults(State):
    """What came to light in one execution: evidence, not Xen's.

    Two threads may add to ``found``.  Each reads it and writes it, so one may be
    lost between them, but not in the schedules that have them one after the other.
    """

    found: tuple[Broken, ...] = shared((), atomic=True)

    def label(self) -> str:
        return "faults"
