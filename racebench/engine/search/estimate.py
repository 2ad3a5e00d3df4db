"""How much of a search tree is left, from walks into what is not explored yet.

After Knuth, "Estimating the efficiency of backtrack programs" (1975), and Chen,
"Heuristic sampling" (1992).  A walk chooses at each state one of the branches that
are left there, and multiplies what their chances were: one over the chance of the
whole walk is, on average, how many executions are left.  It is so for whatever
chances, and for a tree of any shape.  The tree is that of sleep sets: each class has
one way to its end in it, and a walk that comes to where all sleep has found none.

What has been run and what is left are the same number in all, at any time, so all
walks estimate one number, and the estimate is their mean.

How far a walk is off is a matter of the chances.  What they assume does not make the
estimate wrong where it does not hold, only slower to become right:

- A thread has as many branches behind it as it has steps to come, by the most that it
  was seen to make.  So it is where all steps conflict.  Where a thread takes a long
  way in few orders only it is not, so every other walk takes all threads to be alike;
  and what a walk comes to is weighed by the chance of both kinds to come there, which
  is never much worse than the better of them (Veach and Guibas, 1995).
- A thread does again what it was seen to do: who sleeps is unlikely to be woken if
  nobody has such a step to come.

Of a class that is a large part of all and that walks hardly ever come to they find too
few, and once they do, too many for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import prod
from random import Random

from ...errors import ThreadAbort
from ...trace import Kind
from ..control.task import Task
from .path import Node
from .relation import Event, Key, Relation, dependent

_EVERY, _FEW, _OFTEN = 12, 64, 256
"""One walk after so many executions and whenever they have doubled; from so many on one in as many; and
later one whenever they have grown by that part."""

_UNLIKELY = 0.02
"""The chance of what seems to lead nowhere, as a part of what it would have otherwise."""


class _Ahead:
    """What one thread was seen to do from some step of its own on."""

    __slots__ = ("_known", "reads", "unasked", "writes")

    def __init__(self) -> None:
        self._known: dict[Event, bool] = {}
        self.reads: set[Key] = set()
        self.writes: set[Key] = set()
        self.unasked: set[Key] = set()
        """What it has used in steps that are possible always."""

    def add(self, event: Event, after: _Ahead) -> None:
        """It makes ``event``, and goes on as ``after``."""
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
        # Who waits for a lock cannot come before its release: only who tries it can.
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
    """Walks into what is left, and what they say.

    ``relation`` and ``stack`` are the search's.  As a strategy it makes one walk: along
    the stack, and somewhere off it.
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
        """Whether it is time for another walk."""
        return executions >= self._next

    def learn(self, events: Iterable[Event]) -> None:
        """Take in what the threads did in an execution."""
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
        """A walk is over, after so many executions."""
        self._next = executions + (executions if executions < _FEW else max(_EVERY, executions // _OFTEN))
        # Had the other kind of walk come this way, that would count as well.
        both = sum(self._chances) / 2
        self._total += executions + (0.0 if self._lost else 1 / both if both else float("inf"))
        self._walks += 1

    def share(self, executions: int) -> float:
        """About the share that is explored, 0..1, after so many executions.

        Before the first walk the last execution stands for one.
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
        depth, first = self._depth, current
        on_path = depth < len(self._stack)
        if on_path:
            node = self._stack[depth]
            self._asleep = node.asleep
            first = next((task for task in enabled if task.index == node.tree[0].event.proc), None)
        tasks = [task for task in enabled if task.index not in self._asleep]
        if first in tasks:
            # What is on the path sleeps in what is off it; and who goes on is woken least by others.
            tasks.remove(first)
            tasks.insert(0, first)
        if not tasks:
            self._lost = True
            raise ThreadAbort
        chosen = self._chosen([self._relation.of(task) for task in tasks])
        # Off the path, or at its end, below which all is left.
        self._depth = depth + 1 if on_path and not chosen else len(self._stack)
        return tasks[chosen]

    def _chosen(self, events: Sequence[Event]) -> int:
        """Choose one of ``events``, in the rest of which those before it sleep."""
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
    """Whether all who are ``asleep`` may be woken: else there is no end."""
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
