"""A schedule as deviations from the canonical one, which shrinking works on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ..control.task import Task

Place = tuple[int, int]
"""(thread index, steps it has made); (-1, 0) is before the first step."""


def deviations_of(order: Iterable[int]) -> dict[Place, int]:
    """Every switch between threads in ``order``, by the place at which it happens."""
    made = Counter[int]()
    found: dict[Place, int] = {}
    last = -1
    for index in order:
        if index != last:
            found[last, made[last] if last >= 0 else 0] = index
        made[index] += 1
        last = index
    return found


class Deviating:
    """Each thread runs until it blocks or ends, except where ``deviations`` name the next thread.

    A place is counted in a thread's own steps, so removing one deviation
    leaves the others where they are.  A deviation that cannot be followed is skipped.
    ``preempted`` has the steps that were made by another thread than the last one,
    although the last one could have continued.
    """

    def __init__(self, deviations: Mapping[Place, int]) -> None:
        self.deviations = deviations
        self.begin()

    def begin(self) -> None:
        """A new execution starts."""
        self._made = Counter[int]()
        self._last = -1
        self._step = 0
        self.preempted: list[int] = []

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
