"""Search with a bound on preemptions: every schedule that stays within it.

No reduction: within a small bound the schedules are few, and a reduction that
is sound without a bound is not with one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ProgramError

if TYPE_CHECKING:
    from .controlled import Outcome, Scheduler, Task


@dataclass(slots=True)
class _Choice:
    """Who may go on at one step, in the order to be tried; the first is being tried."""

    left: list[int]
    done: int = 0


class Bounded:
    """Depth-first over all schedules with at most ``bound`` preemptions.

    A preemption is a step by another thread than the last, which could have gone
    on; an interrupt and a store that leaves its buffer are such steps as well.
    ``preempted`` has those of the execution that has just run.
    """

    redundant = 0

    def __init__(self, scheduler: Scheduler, bound: int) -> None:
        self.scheduler, self.bound = scheduler, bound
        self.executions = 0
        self._path: list[_Choice] = []
        self._depth = self.used = 0
        self._last: int | None = None
        self.preempted: list[int] = []
        self.cut = self.complete = False

    def begin(self) -> None:
        self._depth = self.used = 0
        self._last = None
        self.preempted = []

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        by_index = {task.index: task for task in enabled}
        if self._depth == len(self._path):
            self._path.append(_Choice(self._order(list(by_index))))
        choice = self._path[self._depth]
        chosen = choice.left[0]
        if chosen not in by_index:
            raise ProgramError("the program is not deterministic: a thread that could go on cannot now.")
        if self._preempts(chosen, by_index):
            self.used += 1
            self.preempted.append(self._depth)
        self._depth += 1
        self._last = chosen
        return by_index[chosen]

    def _preempts(self, chosen: int, enabled: object) -> bool:
        return self._last is not None and chosen != self._last and self._last in enabled  # type: ignore[operator]

    def _order(self, enabled: list[int]) -> list[int]:
        """The last thread first; the others only if a switch is free or still allowed."""
        if self._last not in enabled:
            return enabled
        others = [i for i in enabled if i != self._last]
        if self.used >= self.bound:
            # Something lies beyond the bound: this search alone proves no more.
            self.cut = self.cut or bool(others)
            return [self._last]
        return [self._last, *others]

    def execute(self) -> Outcome | None:
        outcome = self.scheduler.run(self, always_ask=True)
        self.executions += 1
        return outcome

    def advance(self) -> bool:
        """Go to the next schedule; False when there is none."""
        while self._path:
            choice = self._path[-1]
            choice.left.pop(0)
            choice.done += 1
            if choice.left:
                return True
            self._path.pop()
        self.complete = True
        return False

    def done(self) -> float:
        """An estimate of the share that is explored, 0..1."""
        share, weight = 0.0, 1.0
        for choice in self._path:
            total = choice.done + len(choice.left)
            share += weight * choice.done / total
            weight /= total
        return share


class Ladder:
    """Bounds 0, 1, 2, ... in turn, up to ``last`` if that is given.

    ``bound`` is the one being searched, ``proved`` the largest that was covered.
    A bound that kept nothing out has covered every schedule: the search is
    ``complete``.
    """

    def __init__(self, scheduler: Scheduler, last: int | None = None) -> None:
        self.scheduler, self.last = scheduler, last
        self.proved: int | None = None
        self.complete = False
        self.bound = 0
        self._before = 0
        self._rung = Bounded(scheduler, 0)

    @property
    def executions(self) -> int:
        return self._before + self._rung.executions

    def execute(self) -> Outcome | None:
        return self._rung.execute()

    def advance(self) -> bool:
        """Go to the next schedule, or the next bound; False when there is none."""
        rung = self._rung
        if rung.advance():
            return True
        if not rung.complete:
            return False
        self.proved = self.bound
        self.complete = not rung.cut
        if self.complete or self.bound == self.last:
            return False
        self._before += rung.executions
        self.bound += 1
        self._rung = Bounded(self.scheduler, self.bound)
        return True

    def done(self) -> float:
        """An estimate of the share of the present bound that is explored, 0..1."""
        return self._rung.done()
