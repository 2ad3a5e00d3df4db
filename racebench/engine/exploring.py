"""Exploration: many controlled executions under a strategy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import UsageError
from ..findings import Finding, Result, Verdict
from ..program import Program
from .controlled import STALL_S, Scheduler
from .replaying import completed
from .strategies import STRATEGIES, Strategy
from .strategies.portfolio import Portfolio
from .tally import Tally, finding_of

PROGRESS_S = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is; handed to ``progress`` callbacks in the calling thread."""

    executions: int
    failures: int
    seconds: float
    note: str = ""


ProgressCall = Callable[[Progress], None]


def strategy_named(name: str) -> type[Strategy]:
    """The strategy class called ``name``; UsageError lists the known ones."""
    found = STRATEGIES.get(name)
    if found is None:
        raise UsageError(f"unknown strategy {name!r}. Choose one of {', '.join(STRATEGIES)}.")
    return found


def explore(
    program: Program,
    strategy: str = "portfolio",
    executions: int = 10_000,
    seed: int = 0,
    *,
    stop_on_first: bool = False,
    seconds: float | None = None,
    progress: ProgressCall | None = None,
    stall_s: float = STALL_S,
) -> Result:
    """Run ``executions`` controlled executions chosen by ``strategy``.

    Same program, strategy and seed: same schedules, on every Python build; n
    executions are a prefix of n + 1.  ``seconds`` ends it earlier; ``stall_s``
    is how long one thread may go without a step.  CLEAN says only that these
    executions were clean.
    """
    chooser = strategy_named(strategy)(seed, len(program.threads))
    exploration = Exploration(program, chooser, seed, progress)
    return exploration.go(executions, seconds, stop_on_first, stall_s)


class Exploration:
    """One call of ``explore``; ``wanted`` lets a caller stop at a finding of its own."""

    def __init__(
        self, program: Program, strategy: Strategy, seed: int, progress: ProgressCall | None = None
    ) -> None:
        self.program, self.strategy, self.seed = program, strategy, seed
        self.progress = progress
        self.tally = Tally()
        self.executions = 0
        self.rows: dict[str, list[int]] = {}
        self.interrupted = False
        self.steps = 0

    def go(
        self,
        executions: int,
        seconds: float | None,
        stop_on_first: bool,
        stall_s: float = STALL_S,
        wanted: Callable[[Tally], bool] | None = None,
    ) -> Result:
        started = time.perf_counter()
        deadline = None if seconds is None else started + seconds
        done = wanted or (lambda tally: stop_on_first and tally.first is not None)
        findings: tuple[Finding, ...] = ()
        with Scheduler(self.program, stall_s=stall_s) as scheduler:
            try:
                self._loop(scheduler, executions, started, deadline, done)
            except KeyboardInterrupt:
                self.interrupted = True
            findings = tuple(
                completed(scheduler, finding_of(seen, "explore", self.seed))
                for seen in self.tally.seen.values()
            )
        return self._result(findings, time.perf_counter() - started)

    def _loop(
        self,
        scheduler: Scheduler,
        executions: int,
        started: float,
        deadline: float | None,
        done: Callable[[Tally], bool],
    ) -> None:
        strategy, tally = self.strategy, self.tally
        report_at = started
        while self.executions < executions:
            outcome = scheduler.run(strategy)
            self.executions += 1
            self.steps += len(outcome.log)
            found = bool(outcome.events or outcome.broken)
            strategy.end(outcome.log, found)
            new = found and tally.add(outcome, self.executions, self._member())
            self._count(found, new)
            if found and (done(tally) or scheduler.lost or _hung(outcome.events)):
                return
            now = time.perf_counter()
            if deadline is not None and now >= deadline:
                return
            if self.progress is not None and now >= report_at:
                report_at = now + PROGRESS_S
                self.progress(Progress(self.executions, tally.failures, now - started))

    def _member(self) -> str:
        member = self.strategy.member if isinstance(self.strategy, Portfolio) else self.strategy
        return member.NAME

    def _count(self, found: bool, new: bool) -> None:
        if isinstance(self.strategy, Portfolio):
            self.strategy.reward(new)
        row = self.rows.setdefault(self._member(), [0, 0])
        row[0] += 1
        row[1] += found

    def _result(self, findings: tuple[Finding, ...], seconds: float) -> Result:
        verdict = Verdict.FOUND if findings else Verdict.CLEAN
        if self.interrupted and not findings:
            verdict = Verdict.UNKNOWN
        stats: Mapping[str, Any] = {
            "steps": self.steps,
            "strategies": {
                name: {"executions": row[0], "hits": row[1]} for name, row in sorted(self.rows.items())
            },
        }
        return Result(
            verdict, False, self.executions, seconds, findings, self.tally.first,
            self.tally.failures, interrupted=self.interrupted, stats=stats,
        )  # fmt: skip


def _hung(events: list[Any]) -> bool:
    return any(event.rule == "stall.hang" for event in events)


def reproduce(program: Program, finding: Finding, seconds: float = 5.0, seed: int = 0) -> Finding | None:
    """Search under control for ``finding``'s rule; None if the budget ends first.

    The same signature is preferred; any finding of the same rule will do when
    the budget is over.
    """
    exploration = Exploration(program, Portfolio(seed, len(program.threads)), seed)
    result = exploration.go(10**9, seconds, False, wanted=lambda tally: finding.signature in tally.seen)
    same = [f for f in result.findings if f.signature == finding.signature]
    alike = [f for f in result.findings if f.rule == finding.rule]
    for found in same or alike:
        return replace(found, count=finding.count, mode=finding.mode)
    return None
