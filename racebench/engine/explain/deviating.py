"""The canonical schedule with deviations: how shrinking writes a schedule down."""

from __future__ import annotations

from collections.abc import Mapping

from ..control.scheduler import Task

Place = tuple[int, int]
"""(thread index, steps it has made); (-1, 0) is before the first step."""


class Deviating:
    """Each thread runs until it blocks or ends, except where ``deviations`` say who is next.

    A place is counted in a thread's own steps, so taking one deviation away
    leaves the others where they are.  One that cannot be followed is passed by.
    ``preempted`` has the steps made by another thread than the last, which could
    have gone on.
    """

    def __init__(self, deviations: Mapping[Place, int], threads: int) -> None:
        self.deviations = deviations
        self._made = [0] * threads
        self._last = -1
        self._step = 0
        self.preempted: list[int] = []

    def begin(self) -> None:
        """A new execution starts."""
        self._made = [0] * len(self._made)
        self._last = -1
        self._step = 0
        self.preempted = []

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        last = self._last
        made = self._made[last] if last >= 0 else 0
        wanted = self.deviations.get((last, made), last)
        chosen = going_on = None
        for task in enabled:
            if task.index == wanted:
                chosen = task
            if task.index == last:
                going_on = task
        if chosen is None:
            chosen = going_on or enabled[0]
        if going_on is not None and chosen is not going_on:
            self.preempted.append(self._step)
        self._step += 1
        self._made[chosen.index] += 1
        self._last = chosen.index
        return chosen


class Branching:
    """A schedule's threads for ``at`` steps, then ``other``, then each until it blocks or ends."""

    def __init__(self, order: list[int], at: int, other: int) -> None:
        self.order, self.at, self.other = order, at, other
        self._step = 0
        self._last = -1
        self.followed = True

    def begin(self) -> None:
        """A new execution starts."""
        self._step, self._last, self.followed = 0, -1, True

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        step = self._step
        self._step = step + 1
        wanted = self._last
        if step < self.at:
            wanted = self.order[step]
        elif step == self.at:
            wanted = self.other
        for task in enabled:
            if task.index == wanted:
                self._last = wanted
                return task
        if step <= self.at:
            self.followed = False
        self._last = enabled[0].index
        return enabled[0]
