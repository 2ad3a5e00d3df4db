"""Which steps of a program can matter to the class of an execution, by all that were seen so far.

A step on an object that only one thread ever touches, or that no thread ever changes, commutes with
every step of every other thread.  Let two executions, in which each thread came to its end, have the same
other steps in the same order.  Then each thread reads the same values in both, step by step: what it
shares with others was written in the same order, and the rest it has written itself.  So each thread
makes the same steps in both, and two steps that conflict come in the same order: both are of one class.

The knowledge grows: a thread that touches another thread's object for the first time makes a step that
was never seen, so its execution repeats no other, and from then on the steps of both threads matter.

Interrupts come between any two steps of a thread, stores leave their buffers there, and any sleep or
timeout changes the time: in a program that has such steps, every step matters.
"""

from __future__ import annotations

from typing import Any

from ...trace import Kind, Op
from .sharing import ALL, Sharing

_MOST = 1 << 13
"""The largest number of different steps that are kept."""

_ANYWHERE = {Kind.INTERRUPT, Kind.RETURN, Kind.TIMEOUT, Kind.PAUSE, Kind.CLOCK}
"""The operations that affect steps on other objects."""

_Step = tuple[int, Op, bool, Any]
"""Thread, operation, whether it conflicts, and the object's number."""


class Matter:
    """The steps that were seen; the steps in ``_quiet`` matter only to their own thread."""

    def __init__(self) -> None:
        self._quiet: set[_Step] = set()
        self._steps: dict[_Step, Any] = {}
        self._sharing = Sharing()
        self._all = False

    @property
    def many(self) -> bool:
        """Whether there are more steps than are worth keeping."""
        return len(self._steps) > _MOST

    def of(self, log: list[tuple[Any, Op, Any]]) -> int:
        """Return a hash of those steps of an execution that may matter, in their order."""
        quiet = self._quiet
        return hash(
            tuple(
                [
                    step
                    for task, op, obj in log
                    if (step := (task.index, op, op.conflicts, obj._rb_id)) not in quiet
                ]
            )
        )

    def learn(self, log: list[tuple[Any, Op, Any]]) -> bool:
        """Add the steps of an execution; return True if some matter that did not seem to."""
        steps, grown = self._steps, False
        for task, op, obj in log:
            step = task.index, op, op.conflicts, obj._rb_id
            if step not in steps:
                grown = True
                steps[step] = self._key(task.index, op, obj)
        if not grown:
            return False
        sharing = self._sharing
        quiet = {
            step for step, key in steps.items() if key is not None and not self._all and sharing.quiet(key)
        }
        lost = not self._quiet <= quiet
        self._quiet = quiet
        return lost

    def _key(self, index: int, op: Op, obj: Any) -> Any:
        """Return the object and field that a step touches; None if the step matters in any case."""
        if op.kind is Kind.WAIT_UNTIL:
            for look, read in obj.reads:
                self._sharing.use(ALL, (read._rb_id, look.field), True)
            return None
        if op.apart or op.kind in _ANYWHERE:
            self._all = True
            return None
        key = obj._rb_id, op.field
        self._sharing.use(index, key, op.conflicts)
        if op.kind is Kind.WAIT:
            self._sharing.use(ALL, (obj.lock._rb_id, ""), True)
        return None if op.nested or op.kind is Kind.WAKE else key
