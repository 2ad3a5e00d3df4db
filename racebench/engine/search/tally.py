"""From finished executions to findings: one a signature, counted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ...findings import Alarm, Broken, Finding
from ...trace import Execution, Op, Schedule, object_name, switches
from ..control.scheduler import Outcome, Scheduler, Task
from ..instrument import show
from ..stuck import Event
from .evidence import Detect, Log, executions_of

_NUMBER = re.compile(r"\d+")


def signature_of(broken: Broken) -> str:
    """Rule and fields; without fields, rule and message with its numbers taken out."""
    if broken.fields:
        return f"{broken.rule}: {', '.join(broken.fields)}"
    return f"{broken.rule}: {_NUMBER.sub('N', broken.message)}"


def schedule_of(log: list[tuple[Task, Op, Any]], end: int | None = None) -> Schedule:
    """The schedule of the first ``end`` steps of ``log``."""
    return tuple((task.name, op.kind.value, object_name(op, obj)) for task, op, obj in log[:end])


@dataclass(slots=True)
class Seen:
    """One signature: how often it came, and its best schedule so far."""

    rule: str
    signature: str
    summary: str
    evidence: dict[str, Any]
    schedule: Schedule
    after: int
    strategy: str
    count: int = 1
    alarm: bool = False
    by: dict[str, int] = field(default_factory=dict)


class Tally:
    """Counts findings by signature; memory grows with signatures, not executions."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.failures = 0
        self.first: int | None = None
        self.first_alarm: int | None = None
        self.guarded: dict[str, str] = {}

    def add(self, outcome: Outcome, executions: int, strategy: str) -> bool:
        """Take in one execution; True if it broke a rule not seen before."""
        if not outcome.events and not outcome.broken:
            return False
        self.failures += 1
        if self.first is None:
            self.first = executions
        new = False
        for event in outcome.events:
            new |= self._event(event, outcome, executions, strategy)
        for broken in outcome.broken:
            evidence = {"message": broken.message}
            new |= self._count(
                broken.rule, signature_of(broken), broken.message, evidence,
                outcome.log, None, executions, strategy,
            )  # fmt: skip
        return new

    def look(
        self, detect: Detect, scheduler: Scheduler, outcome: Outcome, executions: int, strategy: str
    ) -> bool:
        """Take in what ``detect`` says of one execution; True if a rule is new."""
        new = False
        for execution in executions_of(scheduler, outcome):
            for alarm in detect(execution):
                if alarm.guarded:
                    self.guarded.setdefault(alarm.signature, alarm.message)
                else:
                    new |= self._alarm(alarm, execution, executions, strategy)
        return new

    def _alarm(self, alarm: Alarm, execution: Execution, executions: int, strategy: str) -> bool:
        if self.first_alarm is None:
            self.first_alarm = executions
        log = list(execution.steps)
        end = min(max(alarm.steps, default=len(log)) + 1, len(log))
        evidence = {"message": alarm.message, **alarm.evidence}
        new = self._count(
            alarm.rule, alarm.signature, alarm.message, evidence, log, end, executions, strategy
        )
        self.seen[alarm.signature].alarm = True
        return new

    def told(self) -> list[Seen]:
        """What was seen: what happened first, then what detectors say."""
        return sorted(self.seen.values(), key=lambda seen: seen.alarm)

    def findings(self, mode: str, seed: int) -> tuple[Finding, ...]:
        """What was seen as findings, as they were found."""
        return tuple(finding_of(seen, mode, seed) for seen in self.told())

    @property
    def first_finding(self) -> int | None:
        """Executions until the first failure, or if nothing failed until the first alarm."""
        return self.first_alarm if self.first is None else self.first

    def _event(self, event: Event, outcome: Outcome, executions: int, strategy: str) -> bool:
        evidence = {"message": event.message, **event.evidence}
        log, end = outcome.log, event.at
        if event.past is not None:
            log, end = [log[i] for i in event.past], len(event.past)
        return self._count(
            event.rule, event.signature, event.message, evidence, log, end, executions, strategy
        )

    def _count(
        self, rule: str, signature: str, summary: str, evidence: dict[str, Any],
        log: Log, end: int | None, executions: int, strategy: str,
    ) -> bool:  # fmt: skip
        known = self.seen.get(signature)
        if known is None:
            schedule = schedule_of(log, end)
            seen = Seen(rule, signature, summary, evidence, schedule, executions, strategy)
            seen.by[strategy] = 1
            self.seen[signature] = seen
            return True
        known.count += 1
        known.by[strategy] = known.by.get(strategy, 0) + 1
        length = len(log) if end is None else end
        if length <= len(known.schedule):
            schedule = schedule_of(log, end)
            if _shorter(schedule, known.schedule):
                known.schedule, known.summary, known.evidence = schedule, summary, evidence
        return False


def _shorter(one: Schedule, other: Schedule) -> bool:
    return (switches(one), len(one)) < (switches(other), len(other))


def results_shown(outcome: Outcome) -> dict[str, str]:
    """Each thread's result, for a report."""
    return {name: show(value) for name, value in outcome.results.items()}


def finding_of(seen: Seen, mode: str, seed: int) -> Finding:
    """The finding for one tallied signature, before its evidence is completed."""
    return Finding(
        seen.rule, seen.signature, seen.summary, seen.schedule, seen.evidence, seen.count,
        mode, seen.strategy, seed, seen.after,
    )  # fmt: skip
