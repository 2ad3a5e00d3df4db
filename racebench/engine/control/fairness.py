"""Decides about an execution that does not end: is it the program's fault, or the schedule's?

A thread that spins on a shared field ends as soon as the thread that it waits for has run.  A strategy
that never lets the other thread run makes an endless execution of a correct program.  So an execution
that is too long goes on with the threads taking turns: the next thread is the one that can move and has
not moved for longest.  That is fair, so a program whose every fair execution ends now ends.  An
execution that still does not end is a livelock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...trace import Kind, Op, object_name
from ..stuck import wanted_site
from .task import Task

_LATEST = 1_000
_TRIES = (Kind.TRY_ACQUIRE, Kind.TRY_DOWN, Kind.LOCKED)


class InTurn:
    """A strategy that chooses the thread that has waited longest for its turn."""

    def __init__(self) -> None:
        self._turn = 0
        self._had: dict[Task, int] = {}

    def begin(self) -> None:
        """Do nothing: it takes over in the middle of an execution."""

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        had = self._had
        chosen = min(enabled, key=lambda task: (had.get(task, 0), task.index))
        self._turn += 1
        had[chosen] = self._turn
        return chosen


def spinning(log: Sequence[tuple[Task, Op, Any]]) -> str:
    """Return a sentence that says which thread spins at the end of ``log``, and on what."""
    latest = [step for step in log[-_LATEST:] if step[0].fifo is None]
    [(task, _)] = Counter(task for task, _, _ in latest).most_common(1)
    names = Counter((object_name(op, obj), op.kind in _TRIES) for by, op, obj in latest if by is task)
    [((name, tries), _)] = names.most_common(1)
    site = wanted_site(task)
    return (
        f"{task.name} spins on {name} ({site.file}:{site.line}): every schedule cannot be run; "
        f"use {'acquire(), which waits' if tries else 'racebench.wait_until'}"
    )
