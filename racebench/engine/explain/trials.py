"""The executions that shrinking has made, each at most once: findings of one cell share many of them."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, NamedTuple

from ...trace import Schedule, switches
from ..control.scheduler import Outcome, Scheduler
from ..search.evidence import Detect, nothing, shown
from ..search.loop import outcomes
from ..search.preemption_bound import PreemptionBounded
from .deviations import Deviating, Place

_MOST_BOUNDED = 1_500
_MOST_KEPT = 20_000

Deviations = dict[Place, int]
Measure = tuple[int, int]


class Shrunk(NamedTuple):
    """A schedule that still breaks the rule: its ``preemptions``, and whether that is the fewest possible."""

    schedule: Schedule
    preemptions: int
    fewest: bool
    summary: str
    evidence: dict[str, Any]

    @property
    def measure(self) -> Measure:
        return switches(self.schedule), len(self.schedule)


class Trials:
    """Runs schedules on one scheduler, and returns what they show by signature; alarms need ``detect``."""

    def __init__(self, scheduler: Scheduler, detect: Detect = nothing) -> None:
        self.scheduler, self._detect = scheduler, detect
        self._along: dict[Any, Mapping[str, Shrunk]] = {}
        self._searches: dict[tuple[bool, int], _Search] = {}

    def along(self, deviations: Deviations, alarm: bool) -> Mapping[str, Shrunk]:
        """What the schedule with ``deviations`` shows, by signature."""
        key = alarm, frozenset(deviations.items())
        known = self._along.get(key)
        if known is None:
            if len(self._along) >= _MOST_KEPT:
                self._along.clear()
            strategy = Deviating(deviations)
            outcome = self.scheduler.run(strategy, always_ask=True)
            known = self._along[key] = self._shown(outcome, strategy.preempted, alarm)
        return known

    def within(self, bound: int, signature: str, alarm: bool, until: float) -> tuple[Shrunk | None, bool]:
        """A schedule with at most ``bound`` preemptions that shows ``signature``, and whether all were run.

        None if there is none among the first ``_MOST_BOUNDED``, or none was found before ``until``.
        """
        search = self._searches.setdefault((alarm, bound), _Search(self.scheduler, bound))
        while signature not in search.found:
            outcome = None
            if self.scheduler.fit and perf_counter() < until:
                outcome = next(search.outcomes, None)
            if outcome is None:
                return None, search.bounded.complete
            for name, shrunk in self._shown(outcome, search.bounded.preempted, alarm).items():
                search.found.setdefault(name, shrunk)
        return search.found[signature], search.bounded.complete

    def _shown(self, outcome: Outcome, preempted: list[int], alarm: bool) -> dict[str, Shrunk]:
        tally = shown(self.scheduler, outcome, self._detect if alarm else nothing)
        # Preemptions after the end of the schedule do not count.
        return {
            name: Shrunk(
                seen.schedule,
                sum(at < len(seen.schedule) for at in preempted),
                False,
                seen.summary,
                seen.evidence,
            )
            for name, seen in tally.seen.items()
        }


class _Search:
    """All schedules with at most ``bound`` preemptions, run as far as was needed."""

    def __init__(self, scheduler: Scheduler, bound: int) -> None:
        self.bounded = PreemptionBounded(scheduler, bound)
        self.outcomes = outcomes(self.bounded, _MOST_BOUNDED)
        self.found: dict[str, Shrunk] = {}
