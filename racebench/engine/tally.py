"""From finished executions to findings: one a signature, counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..findings import Broken, Finding
from ..trace import Schedule, switches
from .controlled import Outcome, Task
from .instrument import show
from .ops import Op, object_name
from .stuck import Event

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


class Tally:
    """Counts findings by signature; memory grows with signatures, not executions."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.failures = 0
        self.first: int | None = None

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
                outcome, None, executions, strategy,
            )  # fmt: skip
        return new

    def _event(self, event: Event, outcome: Outcome, executions: int, strategy: str) -> bool:
        evidence = {"message": event.message, **event.evidence}
        return self._count(
            event.rule, event.signature, event.message, evidence, outcome, event.at, executions, strategy
        )

    def _count(
        self, rule: str, signature: str, summary: str, evidence: dict[str, Any],
        outcome: Outcome, end: int | None, executions: int, strategy: str,
    ) -> bool:  # fmt: skip
        known = self.seen.get(signature)
        if known is None:
            schedule = schedule_of(outcome.log, end)
            self.seen[signature] = Seen(rule, signature, summary, evidence, schedule, executions, strategy)
            return True
        known.count += 1
        length = len(outcome.log) if end is None else end
        if length <= len(known.schedule):
            schedule = schedule_of(outcome.log, end)
            if (switches(schedule), length) < (switches(known.schedule), len(known.schedule)):
                known.schedule, known.summary, known.evidence = schedule, summary, evidence
        return False


def results_shown(outcome: Outcome) -> dict[str, str]:
    """Each thread's result, for a report."""
    return {name: show(value) for name, value in outcome.results.items()}


def finding_of(seen: Seen, mode: str, seed: int) -> Finding:
    """The finding for one tallied signature, before its evidence is completed."""
    return Finding(
        seen.rule, seen.signature, seen.summary, seen.schedule, seen.evidence, seen.count,
        mode, seen.strategy, seed, seen.after,
    )  # fmt: skip
