"""Estimates how much of a search tree is left, by walks into its unexplored part.

After Knuth, "Estimating the efficiency of backtrack programs" (1975), and Chen, "Heuristic sampling"
(1992).  A walk chooses at each state one of the branches that are left there, and multiplies the chances
of its choices: one over the chance of the whole walk is, on average, the number of executions that are
left.  That is true for any chances, and for a tree of any shape.  The tree is that of sleep sets: it has
exactly one path to its end for each class, and a walk that reaches a state where all threads sleep has
found none.

The executions run and the executions left have the same sum at any time, so all walks estimate one
number, and the estimate is their mean.

How far a walk is off depends on the chances.  If their assumptions do not hold, the estimate is not
wrong, but converges more slowly:

- A thread has as many branches below it as it has steps to come, at most as many as it was seen to make.
  That is true where all steps conflict.  It is not where a thread takes a long way in few orders only, so
  every other walk treats all threads alike; and the result of a walk is weighed by the chance of both
  kinds of walk to reach it, which is never much worse than the better of them (Veach and Guibas, 1995).
- A thread does again what it was seen to do: a sleeping thread is unlikely to be woken if no other thread
  has a step to come that conflicts.

If walks hardly ever reach a part of the tree that has many of the executions, the estimate is too low,
and once they reach it, too high for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import prod
from random import Random

from ...errors import ThreadAbort
from ...trace import Kind
from ..control.task import Task
from .event import Event, Key, dependent
from .path import Node
from .relation import Relation

_EVERY, _FEW, _OFTEN = 12, 64, 256
"""The first walk comes after ``_EVERY`` executions, then one whenever their number has doubled; from
``_FEW`` on one every ``_EVERY`` executions; later one whenever they have grown by 1/``_OFTEN``."""

_UNLIKELY = 0.02
"""The factor by which the chance of a branch is reduced that seems to lead nowhere."""


class _Ahead:
    """What one thread was seen to do from one of its steps on."""

    __slots__ = ("_known", "reads", "unasked", "writes")

    def __init__(self) -> None:
        self._known: dict[Event, bool] = {}
        self.reads: set[Key] = set()
        self.writes: set[Key] = set()
        self.unasked: set[Key] = set()
        """The keys that it has used in steps that are always possible."""

    def add(self, event: Event, after: _Ahead) -> None:
        """Note that the thread makes ``event``, and goes on as ``after``."""
        self._known.clear()
        self.reads.update(after.reads, event.reads)
        self.writes.update(after.writes, event.writes)
        self.unasked.update(after.unasked)
        if event.guard is None and event.kind is not Kind.RELEASE:
            self.unasked.update(event.reads, event.writes)

    def wakes(self, event: Event) -> bool:
        known = self._known.get(event)
        if known is None:
            known = self._known[event] = self._conflicts(event)
        return known

    def _conflicts(self, event: Event) -> bool:
        # A thread that waits for a lock cannot come before its release: only one that tries it can.
        if event.kind is Kind.RELEASE:
            return not self.unasked.isdisjoint(event.writes)
        writes = self.writes
        return (
            not writes.isdisjoint(event.writes)
            or not writes.isdisjoint(event.reads)
            or not self.reads.isdisjoint(event.writes)
        )


_NOTHING = _Ahead()


class Estimate:
    """Walks into the unexplored part, and their results.

    ``relation`` and ``stack`` are the search's.  As a strategy it makes one walk: along the stack, and
    leaves it somewhere.
    """

    def __init__(self, relation: Relation, stack: list[Node]) -> None:
        self._relation, self._stack = relation, stack
        self._random = Random(0)
        self._ahead: dict[int, list[_Ahead]] = {}
        self._next = _EVERY
        self._total = 0.0
        self._walks = 0
        self._by_steps = False

    def due(self, executions: int) -> bool:
        """Return whether it is time for another walk."""
        return executions >= self._next

    def learn(self, events: Iterable[Event]) -> None:
        """Note what the threads did in an execution."""
        made: dict[int, list[Event]] = {}
        for event in events:
            made.setdefault(event.proc, []).append(event)
        for proc, own in made.items():
            known = self._ahead.setdefault(proc, [])
            known += [_Ahead() for _ in range(len(own) - len(known))]
            after = _NOTHING
            for ahead, event in zip(reversed(known[: len(own)]), reversed(own), strict=True):
                ahead.add(event, after)
                after = ahead

    def walked(self, executions: int) -> None:
        """Note that a walk is over, after ``executions`` executions."""
        self._next = executions + (executions if executions < _FEW else max(_EVERY, executions // _OFTEN))
        # The other kind of walk could have come this way too, which counts as well.
        both = sum(self._chances) / 2
        self._total += executions + (0.0 if self._lost else 1 / both if both else float("inf"))
        self._walks += 1

    def share(self, executions: int) -> float:
        """Return about the explored share, 0..1, after ``executions`` executions.

        Before the first walk the last execution is used as one.
        """
        if self._walks:
            total = self._total / self._walks
        else:
            total = prod(max(1, len(node.ready) - len(node.asleep)) for node in self._stack)
        return executions / max(total, executions + 1)

    # -- one walk

    def begin(self) -> None:
        self._by_steps = not self._by_steps
        self._chances = [1.0, 1.0]
        self._lost = False
        self._depth = 0
        self._asleep: dict[int, Event] = {}
        self._made: dict[int, int] = {}

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        if current is not None and self._made and self._relation.along(current):
            return current
        depth, first = self._depth, current
        on_path = depth < len(self._stack)
        if on_path:
            node = self._stack[depth]
            self._asleep = node.asleep
            first = next((task for task in enabled if task.index == node.tree[0].event.proc), None)
        tasks = [task for task in enabled if task.index not in self._asleep]
        if first in tasks:
            # The branch on the path sleeps in those off it; a thread that goes on is woken least by others.
            tasks.remove(first)
            tasks.insert(0, first)
        if not tasks:
            self._lost = True
            raise ThreadAbort
        chosen = self._chosen([self._relation.of(task) for task in tasks])
        # The walk leaves the path, or is at its end, below which everything is left.
        self._depth = depth + 1 if on_path and not chosen else len(self._stack)
        return tasks[chosen]

    def _chosen(self, events: Sequence[Event]) -> int:
        """Choose one of ``events``; below the chosen one, the events before it in the list sleep."""
        like_steps, alike, sleepers = [], [], []
        asleep = dict(self._asleep)
        ahead = {proc: self._from(proc) for proc in self._ahead}
        for event in events:
            left = {proc: other for proc, other in asleep.items() if not dependent(other, event)}
            sleepers.append(left)
            chance = 1.0 if not left or _may_wake(left, ahead) else _UNLIKELY
            alike.append(chance)
            to_come = len(self._ahead.get(event.proc, ())) - self._made.get(event.proc, 0)
            like_steps.append(chance * max(1, to_come))
            asleep[event.proc] = event
        chosen = self._drawn(like_steps if self._by_steps else alike)
        self._chances[0] *= like_steps[chosen] / sum(like_steps)
        self._chances[1] *= alike[chosen] / sum(alike)
        self._asleep = sleepers[chosen]
        proc = events[chosen].proc
        self._made[proc] = self._made.get(proc, 0) + 1
        return chosen

    def _drawn(self, chances: Sequence[float]) -> int:
        at = self._random.random() * sum(chances)
        return next((i for i, end in enumerate(accumulate(chances)) if at < end), len(chances) - 1)

    def _from(self, proc: int) -> _Ahead:
        known, made = self._ahead[proc], self._made.get(proc, 0)
        return known[made] if made < len(known) else _NOTHING


def _may_wake(asleep: dict[int, Event], ahead: dict[int, _Ahead]) -> bool:
    """Return whether all threads in ``asleep`` may be woken; otherwise the walk finds no end."""
    left = dict(asleep)
    awake = [steps for proc, steps in ahead.items() if proc not in left]
    while left:
        woken = []
        for proc, event in left.items():
            for steps in awake:
                if steps.wakes(event):
                    woken.append(proc)
                    break
        if not woken:
            return False
        for proc in woken:
            del left[proc]
        awake = [ahead[proc] for proc in woken if proc in ahead]
    return True
