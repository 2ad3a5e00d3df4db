"""Runs the schedules that a strategy draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..control.execution import Chooser
from ..control.scheduler import Outcome, Scheduler
from ..strategies import Strategy
from .classes import Classes
from .ordering import ordered
from .relation import Relation

_TRACED = 100
"""The most executions for a complete search for unordered accesses; the walk itself proves nothing."""


class _Row:
    """The results of one strategy's executions; ``classes`` counts those that it was first to find."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.executions = self.classes = self.hits = 0

    def statistics(self) -> dict[str, Any]:
        return {
            "executions": self.executions,
            "classes": self.classes,
            "hits": self.hits,
            **self.strategy.statistics(),
        }


class Runs:
    """One execution after another under ``strategy``; ``always_ask`` is as for ``Scheduler.run``."""

    def __init__(self, scheduler: Scheduler, strategy: Chooser, always_ask: bool = False) -> None:
        self.scheduler, self.chooser, self.always_ask = scheduler, strategy, always_ask
        self.executions = 0
        self._hangs = scheduler.floor.hangs

    def execute(self) -> Outcome:
        outcome = self.scheduler.run(self.chooser, always_ask=self.always_ask)
        # Only now: an interrupted execution does not count.
        self.executions += 1
        return outcome

    def advance(self) -> bool:
        # If a thread hung once, the next execution would most likely hang as well.
        return not (self.scheduler.lost or self.scheduler.floor.hangs > self._hangs)


class Walk(Runs):
    """Schedules without an end: however many there were, they prove nothing.

    The last ``stale`` executions in a row were of classes seen before.
    """

    mode = "explore"
    complete = False
    restarts = 0

    def __init__(self, scheduler: Scheduler, strategy: Strategy) -> None:
        super().__init__(scheduler, strategy)
        self.strategy, self.stale = strategy, 0
        self._classes = Classes(scheduler.tasks)
        self._rows: dict[str, _Row] = {}
        self._found = False

    @property
    def by(self) -> str:
        return self.strategy.member.name

    @property
    def clean(self) -> bool:
        return bool(self.executions)

    def execute(self) -> Outcome:
        outcome = super().execute()
        self._found = bool(outcome.faults or outcome.broken)
        self.strategy.end(outcome.log, self._found)
        return outcome

    def advance(self) -> bool:
        # A hang that breaks no rule only means that a thread is slow to unwind.
        return not self._found or super().advance()

    def novel(self, outcome: Outcome) -> bool:
        new = self._classes.new(outcome.log, whole=not outcome.faults)
        self.stale = 0 if new else self.stale + 1
        return new

    def brought(self, found: bool, new: bool) -> None:
        novel = not self.stale
        self.strategy.reward(new or novel)
        member = self.strategy.member
        row = self._rows.get(member.name)
        if row is None:
            row = self._rows[member.name] = _Row(member)
        row.executions += 1
        row.classes += novel
        row.hits += found

    def over(self, found: bool) -> None:
        """Check whether unseen changes are ordered by the steps, if few schedules are enough for that."""
        if not found and super().advance():
            self.scheduler.lookout.ordered = ordered(self.scheduler, Relation(self.scheduler), _TRACED)

    def note(self, seconds: float, found: bool) -> str:
        return ""

    def stats(self, seconds: float, found: bool) -> Mapping[str, Any]:
        rows = {name: row.statistics() for name, row in sorted(self._rows.items())}
        return {"classes": len(self._classes), "strategies": rows}
