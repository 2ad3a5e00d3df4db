"""From a failing schedule to the shortest that still fails the same way.

A schedule is written as deviations from the canonical one (each thread runs
until it blocks or ends); delta debugging (Zeller 1999) takes away what is not
needed, then the places that are left are moved, then all schedules with fewer
preemptions are tried.  What counts is the signature, nothing else.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ...errors import ProgramError
from ...trace import Schedule, switches
from ..control.scheduler import Outcome, Scheduler
from ..search.bounded import Bounded
from ..search.evidence import Detect, nothing, shown
from ..search.loop import outcomes
from ..tally import Seen, schedule_of
from .deviating import Branching, Deviating, Place

SECONDS = 4.0
_MOST_BOUNDED = 1_500
_MOST_BRANCHES = 300

Deviations = dict[Place, int]
Measure = tuple[int, int]


@dataclass(slots=True)
class Shrunk:
    """A schedule that still breaks the rule: ``preemptions`` in it, and whether fewer cannot do."""

    schedule: Schedule
    preemptions: int
    fewest: bool
    summary: str
    evidence: dict[str, Any]

    @property
    def measure(self) -> Measure:
        return switches(self.schedule), len(self.schedule)


class Shrinker:
    """Shrinks one finding on a running scheduler."""

    def __init__(
        self, scheduler: Scheduler, seen: Seen, detect: Detect = nothing, until: float = float("inf")
    ) -> None:
        self.scheduler, self.seen, self.detect = scheduler, seen, detect
        self.executions = 0
        self._index = {task.name: task.index for task in scheduler.tasks}
        self._deadline = min(until, time.perf_counter() + SECONDS)

    def go(self) -> Shrunk | None:
        """The shortest schedule found in time; None if the finding did not come again at all."""
        deviations = self._deviations(self.seen.schedule)
        best = self._try(deviations)
        if best is None:
            return None
        deviations, best = self._fewer(deviations, best)
        deviations, best = self._moved(deviations, best)
        return self._bounded(best)

    def _deviations(self, schedule: Schedule) -> Deviations:
        """Every switch of ``schedule``, by the place at which it happens."""
        made = [0] * len(self.scheduler.tasks)
        found: Deviations = {}
        last = -1
        for thread, _, _ in schedule:
            index = self._index[thread]
            if index != last:
                found[last, made[last] if last >= 0 else 0] = index
            made[index] += 1
            last = index
        return found

    def _in_time(self) -> bool:
        return time.perf_counter() < self._deadline and self.scheduler.fit

    def _try(self, deviations: Deviations) -> Shrunk | None:
        strategy = Deviating(deviations, len(self.scheduler.tasks))
        outcome = self._run(strategy)
        return self._matched(outcome, strategy.preempted)

    def _run(self, strategy: Any) -> Outcome:
        self.executions += 1
        return self.scheduler.run(strategy, always_ask=True)

    def _matched(self, outcome: Outcome, preempted: list[int]) -> Shrunk | None:
        """What ``outcome`` shows of our signature."""
        tally = shown(self.scheduler, outcome, self.detect if self.seen.alarm else nothing)
        seen = tally.seen.get(self.seen.signature)
        if seen is None:
            return None
        # What the execution went on to do is not part of the schedule.
        preemptions = sum(at < len(seen.schedule) for at in preempted)
        return Shrunk(seen.schedule, preemptions, False, seen.summary, seen.evidence)

    # -- fewer switches

    def _fewer(self, deviations: Deviations, best: Shrunk) -> tuple[Deviations, Shrunk]:
        """Take away chunks of deviations, then ever smaller ones, while the rule still breaks."""
        places = list(deviations)
        size = max(1, len(places) // 2)
        while places and self._in_time():
            removed = False
            at = 0
            while at < len(places) and self._in_time():
                left = places[:at] + places[at + size :]
                found = self._try({place: deviations[place] for place in left})
                if found is not None and found.measure <= best.measure:
                    places, best, removed = left, found, True
                else:
                    at += size
            if size == 1 and not removed:
                break
            size = max(1, size // 2)
        return {place: deviations[place] for place in places}, best

    # -- fewer steps

    def _moved(self, deviations: Deviations, best: Shrunk) -> tuple[Deviations, Shrunk]:
        """Move each switch to an earlier or later step of its thread while that is shorter."""
        for place in list(deviations):
            thread, made = place
            if thread < 0:
                continue
            other = deviations[place]
            for elsewhere in range(len(best.schedule)):
                if not self._in_time():
                    return deviations, best
                if elsewhere == made or (thread, elsewhere) in deviations:
                    continue
                moved = {p: t for p, t in deviations.items() if p != place}
                moved[thread, elsewhere] = other
                found = self._try(moved)
                if found is not None and found.measure < best.measure:
                    deviations, best, place, made = moved, found, (thread, elsewhere), elsewhere
        return deviations, best

    # -- as few preemptions as can be

    def _bounded(self, best: Shrunk) -> Shrunk:
        """Search all schedules with fewer preemptions than ``best``, as far as the budget goes."""
        for bound in range(best.preemptions):
            if not self._in_time():
                return best
            search = Bounded(self.scheduler, bound)
            for outcome in outcomes(search, _MOST_BOUNDED, self._deadline):
                self.executions += 1
                found = None if outcome is None else self._matched(outcome, search.preempted)
                if found is not None:
                    found.fewest = True
                    return found
                if not self.scheduler.fit:
                    break
            if not search.complete:
                return best
        best.fewest = True
        return best


def nearest_passing(
    scheduler: Scheduler, schedule: Schedule, until: float = float("inf")
) -> dict[str, Any] | None:
    """The clean schedule that shares the longest beginning with ``schedule``, looked for ``until`` then.

    As stored: the schedule, the step at which they part, and what each does
    there; None if none was found.
    """
    index = {task.name: task.index for task in scheduler.tasks}
    order = [index[thread] for thread, _, _ in schedule]
    tries = 0
    for at in range(len(order) - 1, -1, -1):
        for other in range(len(scheduler.tasks)):
            if other == order[at]:
                continue
            if tries >= _MOST_BRANCHES or not scheduler.fit or time.perf_counter() >= until:
                return None
            tries += 1
            strategy = Branching(order, at, other)
            try:
                outcome = scheduler.run(strategy, always_ask=True)
            except ProgramError:
                return None
            if strategy.followed and len(outcome.log) > at and not outcome.events and not outcome.broken:
                passing = schedule_of(outcome.log)
                return {
                    "schedule": [list(step) for step in passing],
                    "at": at,
                    "failing": list(schedule[at]),
                    "passing": list(passing[at]),
                }
    return None
