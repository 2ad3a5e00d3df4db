"""Rules that are broken while the machine goes on."""

from __future__ import annotations

from ..findings import Broken
from ..primitives import State, shared


class Faults(State):
    """The rules that broke in one execution: evidence, not Xen's.

    Two threads may add to ``found``.  Each reads it and writes it, so one addition may
    be lost, but not in the schedules in which one thread adds after the other.
    """

    found: tuple[Broken, ...] = shared((), atomic=True)

    def label(self) -> str:
        return "faults"
