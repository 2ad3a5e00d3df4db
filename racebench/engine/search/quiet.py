"""Steps that matter to no other thread: the search makes them along with the step before.

A step on a key that only one thread uses, or that no thread changes, is *quiet*.  It commutes with every
step of every other thread, it is always possible (only its own thread could hold the lock that it takes),
and what it offers next depends on its own thread alone.  So any schedule turns into one of the same class
in which each quiet step comes directly after its thread's step before, and to search those is enough:
such a step is no choice, no node and no part of a race.

What is quiet has to be learnt, since no program says beforehand what its threads will touch.  The search
looks at a few executions, chooses, and starts again.  Until it ends the choice stays as it is, because a
wakeup tree is written in steps: one that is a node in one place must be a node in all.  A thread that
uses a key otherwise than the choice supposes is a *surprise*, and the search starts again with what it
has learnt.

Why none is missed: let a thread make the first step of a schedule that is a surprise.  All before it
conforms to the choice, so the schedule up to there turns into one that the search runs, as above.  What
a thread offers depends only on the steps in its past; so there the thread offers that very step, and
whether it is made, or waits until the end, the search has its event made, and learns of it.

Programs with interrupts or store buffers have no quiet steps: those come between any two steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...primitives import ops
from ...trace import Op
from .event import Event, Key
from .sharing import Sharing

Step = tuple[int, Op, Any, Any]
"""Thread, operation, the object's number, and what kind of operation the thread's past makes of it."""

_ON_LOCKS = {ops.ACQUIRE, ops.TRY_ACQUIRE, ops.RELEASE, ops.LOCKED}
_WORTH = 8
"""It is worth it if at least one of so many different steps is quiet."""
_MOST_SURPRISES = 4
"""After so many no step is taken for quiet."""


class Quiet:
    """The quiet steps by all that was seen so far, and the choice of them for the present search."""

    def __init__(self) -> None:
        self._sharing = Sharing()
        self._chosen: dict[Step, Event] = {}
        self._keys: set[Key] = set()
        self._choosing = False
        self._surprises = 0

    def has(self, step: Step, event: Event) -> bool:
        """Return whether ``step``, which is ``event``, was chosen, with all the keys that it uses."""
        return step in self._chosen and self._keys.issuperset((*event.reads, *event.writes))

    def use(self, event: Event) -> bool:
        """Note who uses the keys of ``event``; return whether it is a surprise."""
        quiet = True
        for key in event.reads:
            quiet &= self._use(event.proc, key, False)
        for key in event.writes:
            quiet &= self._use(event.proc, key, True)
        self._surprises += not quiet
        return not quiet

    def _use(self, proc: int, key: Key, writes: bool) -> bool:
        """Return False if the choice has relied on ``key``, and was wrong."""
        self._sharing.use(proc, key, writes)
        if key not in self._keys or self._sharing.quiet(key):
            return True
        self._keys.remove(key)
        return False

    def begin(self, known: Mapping[Step, Event]) -> bool:
        """Begin to choose, among the ``known`` steps; return False if it has begun, or is not worth it."""
        if self._choosing:
            return False
        self._choosing = True
        self.choose(known)
        if len(self._chosen) * _WORTH < len(known):
            self._choosing, self._chosen, self._keys = False, {}, set()
        return self._choosing

    def choose(self, known: Mapping[Step, Event]) -> bool:
        """Choose anew for the next search, among the steps chosen before and ``known``, once it has begun.

        Return whether there is any quiet step.
        """
        if not self._choosing:
            return False
        self._chosen = {
            step: event
            for step, event in (self._chosen | dict(known)).items()
            if self._surprises < _MOST_SURPRISES
            and (event.op.is_field or event.op in _ON_LOCKS)
            and all(map(self._sharing.quiet, (*event.reads, *event.writes)))
        }
        self._keys = {key for event in self._chosen.values() for key in (*event.reads, *event.writes)}
        return bool(self._chosen)
