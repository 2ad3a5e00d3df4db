"""Turn finished executions into findings: one for each signature, with its count.  Both engines use this."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from errno import errorcode
from typing import Any, Protocol

from ..findings import Alarm, Broken, Finding
from ..trace import Actor, Op, Schedule, object_name, switches
from .stuck import Fault

Log = Sequence[tuple[Actor, Op, Any]]

_NUMBER = re.compile(r"\d+")
_CODES = frozenset((int, type(None)))


class Ended(Protocol):
    """One finished execution: its steps, faults and broken rules."""

    log: Any
    faults: Any
    broken: Any


def signature_of(broken: Broken) -> str:
    """Rule and fields; without fields, the rule and its message with numbers replaced."""
    if broken.fields:
        return f"{broken.rule}: {', '.join(broken.fields)}"
    return f"{broken.rule}: {_NUMBER.sub('N', broken.message)}"


def schedule_of(log: Log, end: int | None = None) -> Schedule:
    """The schedule of the first ``end`` steps of ``log``."""
    return tuple((task.name, op.kind.value, object_name(op, obj)) for task, op, obj in log[:end])


class Seen:
    """One signature: how often it was seen, by which strategies, and its best schedule so far."""

    def __init__(self, event: Fault | Alarm, schedule: Schedule, after: int, strategy: str) -> None:
        self.rule, self.signature = event.rule, event.signature
        self.summary, self.evidence, self.schedule = event.message, _evidence(event), schedule
        self.after, self.strategy, self.by = after, strategy, {strategy: 1}
        self.count, self.alarm = 1, False

    def finding(self, mode: str, seed: int) -> Finding:
        """The finding, before its evidence is completed."""
        return Finding(
            self.rule, self.signature, self.summary, self.schedule, self.evidence, self.count,
            mode, self.strategy, seed, self.after,
        )  # fmt: skip


class Tally:
    """Counts findings by signature; memory grows with signatures, not executions.

    ``first`` is the number of executions until one failed, ``first_alarm`` until a detector raised
    an alarm; ``guarded`` has the alarms that break no rule.
    """

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.failures = 0
        self.first: int | None = None
        self.first_alarm: int | None = None
        self.guarded: dict[str, str] = {}
        self._returned: dict[tuple[str, tuple[int | None, ...]], int] = {}

    def returns(self, thread: str, results: Iterable[Any]) -> None:
        """Count the results of ``thread`` in some executions, if they are lists of its operations' codes."""
        often: dict[tuple[Any, ...], int] = {}
        try:
            for result in results:
                if type(result) is list:
                    codes = tuple(result)
                    often[codes] = often.get(codes, 0) + 1
        except Exception:
            # These are no codes, and cannot be compared or hashed.
            return
        for codes, n in often.items():
            if _CODES.issuperset(map(type, codes)):
                key = thread, codes
                self._returned[key] = self._returned.get(key, 0) + n

    def returned(self, parts: Mapping[str, Sequence[str]]) -> dict[str, dict[str, int]]:
        """``{"a: route virq=40 pirq=64": {"0": 3, "-EBUSY": 1}}``: how often each operation returned what.

        ``parts`` has each thread's operations.
        """
        counts: dict[str, dict[str, int]] = {}
        for (thread, codes), n in self._returned.items():
            for part, code in zip(parts.get(thread, ()), codes, strict=False):
                if code is not None:
                    of = counts.setdefault(f"{thread}: {part}", {})
                    name = f"-{errorcode[-code]}" if -code in errorcode else str(code)
                    of[name] = of.get(name, 0) + n
        return counts

    def add(self, ended: Ended, after: int, by: str) -> bool:
        """Count execution number ``after``, of strategy ``by``; True if it broke a rule not seen before."""
        if not ended.faults and not ended.broken:
            return False
        self.failures += 1
        if self.first is None:
            self.first = after
        new, log = False, ended.log
        for fault in ended.faults:
            steps, end = log, fault.at
            if fault.past is not None:
                steps, end = [log[i] for i in fault.past], None
            new |= self._count(fault, steps, end, after, by)
        for broken in ended.broken:
            fault = Fault(broken.rule, signature_of(broken), broken.message, 0)
            new |= self._count(fault, log, None, after, by)
        return new

    def alarm(self, alarm: Alarm, log: Log, after: int, by: str) -> None:
        """Count a detector's alarm about an execution with this ``log``."""
        if alarm.guarded:
            self.guarded.setdefault(alarm.signature, alarm.message)
            return
        if self.first_alarm is None:
            self.first_alarm = after
        self._count(alarm, log, min(max(alarm.steps, default=len(log)) + 1, len(log)), after, by)
        self.seen[alarm.signature].alarm = True

    def _count(self, event: Fault | Alarm, log: Log, end: int | None, after: int, by: str) -> bool:
        known = self.seen.get(event.signature)
        if known is None:
            self.seen[event.signature] = Seen(event, schedule_of(log, end), after, by)
            return True
        known.count += 1
        known.by[by] = known.by.get(by, 0) + 1
        # Names are made only if the schedule may be shorter, which is rare in a long search.
        if (len(log) if end is None else end) <= len(known.schedule):
            schedule = schedule_of(log, end)
            if (switches(schedule), len(schedule)) < (switches(known.schedule), len(known.schedule)):
                known.schedule, known.summary, known.evidence = schedule, event.message, _evidence(event)
        return False

    def ordered(self) -> list[Seen]:
        """All signatures: first what happened, then the detectors' alarms."""
        return sorted(self.seen.values(), key=lambda seen: seen.alarm)

    def findings(self, mode: str, seed: int) -> tuple[Finding, ...]:
        """All signatures as findings, without completed evidence."""
        return tuple(seen.finding(mode, seed) for seen in self.ordered())

    @property
    def first_finding(self) -> int | None:
        """Executions until the first failure, or if nothing failed until the first alarm."""
        return self.first_alarm if self.first is None else self.first


def _evidence(event: Fault | Alarm) -> dict[str, Any]:
    return {"message": event.message, **event.evidence}
