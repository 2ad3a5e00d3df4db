"""Exploration: many controlled executions under a strategy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...errors import ProgramError, UsageError
from ...findings import Finding, Result, Verdict, interval
from ...program import Program
from .. import osthreads
from ..control.scheduler import Outcome, Scheduler
from ..delays import actors
from ..explain.conclusion import Ending, with_needs
from ..explain.confirmation import labelled
from ..garbage import leaves_nothing
from ..strategies import STRATEGIES, Strategy
from ..strategies.pct import Pct
from ..strategies.portfolio import Portfolio
from ..unseen import judged
from .classes import Classes
from .evidence import Detect, nothing
from .tally import Seen, Tally

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


@leaves_nothing
def explore(
    program: Program,
    strategy: str = "portfolio",
    executions: int = 10_000,
    seed: int = 0,
    *,
    stop_on_first: bool = False,
    seconds: float | None = None,
    progress: ProgressCall | None = None,
    stall_s: float = osthreads.STALL_S,
    detect: Detect = nothing,
) -> Result:
    """Run ``executions`` controlled executions chosen by ``strategy``; see ``modes.explore``.

    ``detect`` looks at one execution of each equivalence class.
    """
    chooser = strategy_named(strategy)(seed, actors(program))
    exploration = Exploration(program, chooser, seed, progress, detect)
    return exploration.go(executions, seconds, stop_on_first, stall_s)


class Row:
    """What one strategy's executions brought.  ``classes`` counts those it was first to find."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.executions = self.classes = self.hits = 0

    def told(self) -> dict[str, Any]:
        low, high = interval(self.hits, self.executions)
        told: dict[str, Any] = {
            "executions": self.executions,
            "classes": self.classes,
            "hits": self.hits,
            "rate": self.hits / self.executions,
            "rate_95": [low, high],
        }
        if isinstance(self.strategy, Pct):
            told["miss_bound"] = self.strategy.miss_bound()
        return told


class Exploration:
    """One call of ``explore``."""

    def __init__(
        self,
        program: Program,
        strategy: Strategy,
        seed: int,
        progress: ProgressCall | None = None,
        detect: Detect = nothing,
    ) -> None:
        self.program, self.strategy, self.seed = program, strategy, seed
        self.progress, self.detect = progress, detect
        self.classes = Classes(actors(program))
        self.tally = Tally()
        self.executions = 0
        self.rows: dict[str, Row] = {}
        self.interrupted = False
        self.steps = 0

    def go(
        self,
        executions: int,
        seconds: float | None,
        stop_on_first: bool,
        stall_s: float = osthreads.STALL_S,
    ) -> Result:
        started = time.perf_counter()
        deadline = float("inf") if seconds is None else started + seconds
        with Scheduler(self.program, stall_s=stall_s) as scheduler:
            try:
                self._loop(scheduler, executions, started, deadline, stop_on_first)
            except KeyboardInterrupt:
                self.interrupted = True
            except ProgramError as error:
                error.findings = self.tally.findings("explore", self.seed)
                raise
            searched = time.perf_counter() - started
            end = Ending(self.interrupted, deadline)
            found = end.concluded(scheduler, self._worked_on(), "explore", self.seed, self.detect)
            found = tuple(_by_strategy(f, self.tally.seen[f.signature].by) for f in found)
            found = end.better(found, lambda: labelled(scheduler, found, False, self.executions, end.until))
        findings = end.better(found, lambda: with_needs(self.program, found, self.detect, end.until))
        self.interrupted = end.interrupted
        return judged(self._result(findings, searched), scheduler.unseen.sentences())

    def _loop(
        self,
        scheduler: Scheduler,
        executions: int,
        started: float,
        deadline: float,
        stop_on_first: bool,
    ) -> None:
        strategy, tally = self.strategy, self.tally
        report_at = started
        while self.executions < executions and (self.executions or deadline > started):
            outcome = scheduler.run(strategy)
            self.executions += 1
            self.steps += len(outcome.log)
            found = bool(outcome.events or outcome.broken)
            strategy.end(outcome.log, found)
            told = self._take(scheduler, outcome, found)
            if told and self._enough(stop_on_first):
                return
            if found and (scheduler.lost or scheduler.hangs):
                return
            now = time.perf_counter()
            if now >= deadline:
                return
            if self.progress is not None and now >= report_at:
                report_at = now + PROGRESS_S
                self.progress(Progress(self.executions, tally.failures, now - started))

    def _enough(self, stop_on_first: bool) -> bool:
        return stop_on_first and self.tally.first is not None

    def _worked_on(self) -> list[Seen]:
        """What becomes a finding."""
        return self.tally.told()

    def _take(self, scheduler: Scheduler, outcome: Outcome, found: bool) -> bool:
        """Count one execution; True if it has something to report."""
        tally, strategy = self.tally, self.strategy
        member = strategy.member if isinstance(strategy, Portfolio) else strategy
        new_class = self.classes.new(outcome.log)
        new = found and tally.add(outcome, self.executions, member.NAME)
        alarmed = False
        if new_class:
            alarmed = tally.look(self.detect, scheduler, outcome, self.executions, member.NAME)
        if isinstance(strategy, Portfolio):
            strategy.reward(new or new_class)
        row = self.rows.get(member.NAME)
        if row is None:
            row = self.rows[member.NAME] = Row(member)
        row.executions += 1
        row.classes += new_class
        row.hits += found
        return found or alarmed

    def _result(self, findings: tuple[Finding, ...], seconds: float) -> Result:
        verdict = Verdict.FOUND if findings else Verdict.CLEAN
        if not findings and (self.interrupted or not self.executions):
            verdict = Verdict.UNKNOWN
        stats: Mapping[str, Any] = {
            "steps": self.steps,
            "classes": len(self.classes),
            "guarded": dict(self.tally.guarded),
            "strategies": {name: row.told() for name, row in sorted(self.rows.items())},
        }
        return Result(
            verdict, False, self.executions, seconds, findings, self.tally.first_finding,
            self.tally.failures, interrupted=self.interrupted, stats=stats,
        )  # fmt: skip


def _by_strategy(finding: Finding, by: Mapping[str, int]) -> Finding:
    """``finding`` with how often each strategy met it, if there are several."""
    if len(by) < 2:
        return finding
    return replace(finding, evidence={**finding.evidence, "strategies": dict(by)})
