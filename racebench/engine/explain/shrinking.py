"""Shrink a failing schedule to the shortest that still fails the same way.

A schedule is written as deviations from the canonical one (each thread runs
until it blocks or ends).  Delta debugging (Zeller 1999) removes deviations that are not
needed, then the remaining ones are moved, then all schedules with fewer
preemptions are tried.  Only the signature has to stay the same.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

from ...errors import ProgramError
from ...findings.rules import is_benign
from ...trace import Schedule
from ..control.scheduler import Scheduler
from ..tally import Seen, schedule_of
from .deviations import Deviating, deviations_of
from .trials import Deviations, Shrunk, Trials

SECONDS = 4.0
_MOST_BRANCHES = 300


class Shrinker:
    """Shrinks one finding on a running scheduler; ``_deviations`` lead to ``best``."""

    best: Shrunk

    def __init__(self, trials: Trials, seen: Seen, until: float = float("inf")) -> None:
        self.trials, self.scheduler, self.seen = trials, trials.scheduler, seen
        self._deviations: Deviations = {}
        self._deadline = min(until, perf_counter() + SECONDS)

    def go(self) -> Shrunk | None:
        """The shortest schedule found in time; None if the finding was not found again at all."""
        self._deviations = deviations_of(self.scheduler.order(self.seen.schedule))
        best = self._tried(self._deviations)
        if best is None:
            return None
        self.best = best
        self._fewer()
        self._moved()
        self._bounded()
        return self.best

    def _in_time(self) -> bool:
        return perf_counter() < self._deadline and self.scheduler.fit

    def _tried(self, deviations: Deviations) -> Shrunk | None:
        return self.trials.along(deviations, self.seen.alarm).get(self.seen.signature)

    def _better(self, deviations: Deviations, as_good: bool = False) -> bool:
        """Keep ``deviations`` if their result is better than the best, or as good; return whether it is."""
        found = self._tried(deviations)
        if found is None or found.measure > self.best.measure:
            return False
        if found.measure == self.best.measure and not as_good:
            return False
        self._deviations, self.best = deviations, found
        return True

    # -- fewer switches

    def _fewer(self) -> None:
        """Remove chunks of deviations, then smaller and smaller ones, while the rule still breaks."""
        size = max(1, len(self._deviations) // 2)
        while self._deviations and self._in_time():
            removed, at = False, 0
            while at < len(self._deviations) and self._in_time():
                places = list(self._deviations.items())
                # Fewer deviations are better even if the schedule does not get shorter.
                if self._better(dict(places[:at] + places[at + size :]), as_good=True):
                    removed = True
                else:
                    at += size
            if size == 1 and not removed:
                break
            size = max(1, size // 2)

    # -- fewer steps

    def _moved(self) -> None:
        """Move each switch to an earlier or later step of its thread if the schedule gets shorter."""
        for place, other in list(self._deviations.items()):
            thread, made = place
            if thread < 0:
                continue
            for elsewhere in range(len(self.best.schedule)):
                if not self._in_time():
                    return
                if elsewhere == made or (thread, elsewhere) in self._deviations:
                    continue
                moved = {p: t for p, t in self._deviations.items() if p != place}
                moved[thread, elsewhere] = other
                if self._better(moved):
                    place, made = (thread, elsewhere), elsewhere

    # -- as few preemptions as possible

    def _bounded(self) -> None:
        """Search all schedules with fewer preemptions than the best, as far as the budget goes."""
        for bound in range(self.best.preemptions):
            if not self._in_time():
                return
            found, searched = self.trials.within(bound, self.seen.signature, self.seen.alarm, self._deadline)
            if found is not None:
                self.best = found._replace(fewest=True)
                return
            if not searched:
                return
        self.best = self.best._replace(fewest=True)


def nearest_passing(
    scheduler: Scheduler, schedule: Schedule, until: float = float("inf")
) -> dict[str, Any] | None:
    """The clean schedule that shares the longest prefix with ``schedule``, searched until ``until``.

    A schedule that breaks only benign rules counts as clean here.
    In stored form: the schedule, the step at which they differ, and each one's step
    there; None if none was found.
    """
    order = scheduler.order(schedule)
    threads = range(len(scheduler.tasks))
    branches = [(at, t) for at in range(len(order) - 1, -1, -1) for t in threads if t != order[at]]
    for at, other in branches[:_MOST_BRANCHES]:
        if not scheduler.fit or perf_counter() >= until:
            break
        wanted = [*order[:at], other]
        try:
            deviating = Deviating(deviations_of(wanted))
            outcome = scheduler.run(deviating, always_ask=True)
        except ProgramError:
            break
        followed = [task.index for task, _, _ in outcome.log[: at + 1]] == wanted
        if followed and not outcome.faults and all(is_benign(b.rule) for b in outcome.broken):
            passing = schedule_of(outcome.log)
            return {
                "schedule": [list(step) for step in passing],
                "at": at,
                "failing": list(schedule[at]),
                "passing": list(passing[at]),
            }
    return None
