"""Campaigns: cells x modes x budgets x processes.

A cell is a scenario under a protocol.  Each is hammered (stress), searched
(explore) or proved (verify); what is found is merged by signature, each
distinct finding gets a schedule, and the cell is held against its scenario's
expectation.
"""

from __future__ import annotations

import itertools
import multiprocessing
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from . import __version__, engine
from .findings import CellVerdict, Finding, Result
from .scenario import Scenario, load_scenario
from .selection import Choice, choices, load_protocol
from .store import SCHEMA, RunFolder, read_journal
from .trace import switches

_REPRODUCE_S = 3.0
_STRESS_SHARE = 0.6
_VERIFY_AT_LEAST_S = 1.0


@dataclass(frozen=True)
class Cell:
    """A scenario under a protocol, or one of its variants."""

    scenario: Scenario
    choice: Choice

    @property
    def protocol(self) -> str:
        return self.choice.id

    @property
    def name(self) -> tuple[str, str]:
        return self.scenario.name, self.protocol


@dataclass(frozen=True)
class Options:
    """What a campaign is to do; ``seconds`` is for all of it."""

    modes: tuple[str, ...] = ("stress", "verify")
    seconds: float = 30.0
    seed: int = 0
    jobs: int = 1
    out: Path | None = None
    preemptions: int | None = None
    strategy: str = "portfolio"
    executions: int | None = None
    name: str = "run"
    resume: bool = False


class Listener(Protocol):
    """Hears what goes on; a user interface."""

    def started(self, cells: list[tuple[str, str]], seconds: float) -> None: ...

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None: ...

    def cell_done(self, cell: dict[str, Any]) -> None: ...

    def finding(self, path: str, finding: dict[str, Any]) -> None: ...

    def note(self, text: str) -> None: ...


class Silent:
    """A listener that says nothing."""

    def started(self, cells: list[tuple[str, str]], seconds: float) -> None: ...

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None: ...

    def cell_done(self, cell: dict[str, Any]) -> None: ...

    def finding(self, path: str, finding: dict[str, Any]) -> None: ...

    def note(self, text: str) -> None: ...


def cells_for(scenarios: Sequence[Scenario], protocols: Sequence[Choice] | None = None) -> list[Cell]:
    """The cells of ``scenarios`` under ``protocols``, by default those each one names."""
    return [
        Cell(scenario, choice)
        for scenario in scenarios
        for choice in (choices(scenario) if protocols is None or scenario.variants else protocols)
    ]


@dataclass
class CellResult:
    """One cell's outcome as it is stored, and its findings."""

    cell: dict[str, Any]
    findings: list[dict[str, Any]]
    interrupted: bool = False


def run_campaign(cells: Sequence[Cell], options: Options, listener: Listener) -> dict[str, Any]:
    """Run ``cells``; returns the run.json object, with ``interrupted`` and ``dir`` added.

    With ``options.out`` everything is stored there as it happens.  Ctrl-C ends
    it early with what is known.
    """
    started = time.perf_counter()
    folder = None if options.out is None else RunFolder(options.out, resume=options.resume)
    done: dict[tuple[str, str], dict[str, Any]] = {}
    if folder is not None and options.resume:
        kept, torn = read_journal(folder.path)
        done = {(c["scenario"], c["protocol"]): c for c in kept}
        if torn:
            listener.note(f"{torn} torn line in the journal: a run was cut off while writing it")
    left = [cell for cell in cells if cell.name not in done]
    listener.started([cell.name for cell in left], options.seconds)
    interrupted = False
    results = _in_processes(left, options) if options.jobs > 1 else _in_turn(left, options, listener)
    try:
        for result in results:
            _store(result, folder, listener)
            done[result.cell["scenario"], result.cell["protocol"]] = result.cell
            interrupted |= result.interrupted
    except KeyboardInterrupt:
        interrupted = True
    run = _run_object([done[c.name] for c in cells if c.name in done], options, time.perf_counter() - started)
    run["interrupted"] = interrupted
    if folder is not None:
        folder.finish(run)
    return {**run, "dir": None if folder is None else str(folder.path)}


def _store(result: CellResult, folder: RunFolder | None, listener: Listener) -> None:
    for finding in result.findings:
        path = "" if folder is None else folder.add_finding(finding)
        if path:
            result.cell["findings"].append(path)
        listener.finding(path, finding)
    if folder is not None and not result.interrupted:
        folder.add_cell(result.cell)
    listener.cell_done(result.cell)


def _in_turn(cells: Sequence[Cell], options: Options, listener: Listener) -> Iterator[CellResult]:
    deadline = time.perf_counter() + options.seconds
    for i, cell in enumerate(cells):
        share = max(0.05, (deadline - time.perf_counter()) / (len(cells) - i))
        result = run_cell(cell, options, share, listener)
        yield result
        if result.interrupted:
            return


def _in_processes(cells: Sequence[Cell], options: Options) -> Iterator[CellResult]:
    """Cells spread over processes; what comes back first is yielded first."""
    share = options.seconds * options.jobs / max(1, len(cells))
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(options.jobs, mp_context=context)
    try:
        futures: list[Future[CellResult]] = [
            pool.submit(_remote_cell, c.scenario.path, c.choice.spec, options, share) for c in cells
        ]
        for future in as_completed(futures):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _remote_cell(path: Path, spec: str, options: Options, share: float) -> CellResult:
    """A cell in another process: classes do not travel, files and names do."""
    scenario = load_scenario(path)
    choice = Choice(spec, spec, spec) if scenario.variants else load_protocol(spec)
    return run_cell(Cell(scenario, choice), options, share, Silent())


def run_cell(cell: Cell, options: Options, seconds: float, listener: Listener) -> CellResult:
    """Run one cell in every mode asked for, within about ``seconds``."""
    return _CellRun(cell, options, seconds, listener).go()


@dataclass
class _Merged:
    """One signature over all modes."""

    finding: Finding
    seen: dict[str, int] = field(default_factory=dict)


class _CellRun:
    """One cell while it is run."""

    def __init__(self, cell: Cell, options: Options, seconds: float, listener: Listener) -> None:
        self.cell, self.options, self.listener = cell, options, listener
        self.program = cell.scenario.program(cell.choice.code)
        self.deadline = time.perf_counter() + seconds
        self.seconds = seconds
        self.merged: dict[str, _Merged] = {}
        self.modes: dict[str, Any] = {"stress": None, "verify": None, "explore": None}
        self.interrupted = False

    def go(self) -> CellResult:
        for mode in self.options.modes:
            if self.interrupted:
                break
            getattr(self, f"_{mode}")()
        self._reproduce()
        cell = self._cell_object()
        return CellResult(cell, [self._finding_object(m) for m in self._sorted()], self.interrupted)

    def _stress(self) -> None:
        only = "verify" not in self.options.modes
        budget = self.seconds if only else self.seconds * _STRESS_SHARE
        result = engine.stress(
            self.program, max(0.02, budget), self.options.seed, progress=self._progress("stress", budget)
        )
        self._take("stress", result)
        self.modes["stress"] = {
            "collisions": result.executions,
            "failures": result.failures,
            "first_failure_s": result.first_failure_s,
            "seconds": round(result.seconds, 3),
            "miss_bound": result.stats.get("miss_bound"),
        }

    def _verify(self) -> None:
        left = max(_VERIFY_AT_LEAST_S, self.deadline - time.perf_counter())
        result = engine.verify(
            self.program,
            preemptions=self.options.preemptions,
            seconds=left,
            progress=self._progress("verify", left),
        )
        self._take("verify", result)
        self.modes["verify"] = {
            "complete": result.complete,
            "executions": result.executions,
            "preemption_bound": result.stats.get("preemption_bound"),
            "seconds": round(result.seconds, 3),
        }

    def _explore(self) -> None:
        executions = self.options.executions
        limit = None if executions is not None else self.seconds
        result = engine.explore(
            self.program,
            self.options.strategy,
            executions if executions is not None else 10**9,
            self.options.seed,
            seconds=limit,
            progress=self._progress("explore", self.seconds),
        )
        self._take("explore", result)
        self.modes["explore"] = {
            "strategy": self.options.strategy,
            "executions": result.executions,
            "failures": result.failures,
            "first_failure": result.first_failure,
            "seconds": round(result.seconds, 3),
            "strategies": result.stats.get("strategies"),
        }

    def _progress(self, mode: str, seconds: float) -> Any:
        scenario, protocol = self.cell.name
        self.listener.cell_started(scenario, protocol, mode, seconds)
        return lambda p: self.listener.cell_progress(scenario, protocol, mode, p)

    def _take(self, mode: str, result: Result) -> None:
        self.interrupted |= result.interrupted
        for finding in result.findings:
            known = self.merged.get(finding.signature)
            if known is None:
                known = self.merged[finding.signature] = _Merged(finding)
            elif _better(finding, known.finding):
                known.finding = replace(finding, mode=known.finding.mode, after=known.finding.after)
            known.seen[mode] = known.seen.get(mode, 0) + finding.count

    def _reproduce(self) -> None:
        """Give each finding of the free run a schedule, or say that the budget ended first."""
        for merged in self.merged.values():
            finding = merged.finding
            if finding.schedule or finding.rule.startswith("stall."):
                continue
            found = None
            if not self.interrupted:
                found = engine.reproduce(self.program, finding, _REPRODUCE_S, self.options.seed)
            if found is None:
                evidence = {**finding.evidence, "reproduced": f"no, within {_REPRODUCE_S:g} s under control"}
                merged.finding = replace(finding, evidence=evidence)
            else:
                merged.finding = found

    def _sorted(self) -> list[_Merged]:
        return sorted(self.merged.values(), key=lambda m: (m.finding.rule, m.finding.signature))

    def _finding_object(self, merged: _Merged) -> dict[str, Any]:
        finding, scenario = merged.finding, self.cell.scenario
        return {
            "rule": finding.rule,
            "signature": finding.signature,
            "summary": finding.summary,
            "scenario": scenario.name,
            "scenario_file": str(scenario.path),
            "protocol": self.cell.protocol,
            "found_by": {
                "mode": finding.mode,
                "strategy": finding.strategy,
                "seed": self.options.seed,
                "after": finding.after,
            },
            "threads": list(self.program.threads),
            "schedule": [list(step) for step in finding.schedule],
            "evidence": dict(finding.evidence),
            "count": sum(merged.seen.values()),
            "seen": merged.seen,
        }

    def _cell_object(self) -> dict[str, Any]:
        scenario, protocol = self.cell.scenario, self.cell.protocol
        expected, allowed = sorted(scenario.expected(protocol)), sorted(scenario.allowed(protocol))
        found = sorted({m.finding.rule for m in self.merged.values()})
        verify = self.modes["verify"]
        return {
            "scenario": scenario.name,
            "protocol": protocol,
            "expected": expected,
            "allowed": allowed,
            "found": found,
            "verdict": judge(expected, allowed, found, verify, self.interrupted).value,
            "stress": self.modes["stress"],
            "verify": verify,
            "explore": self.modes["explore"],
            "settles": list(scenario.settles),
            "findings": [],
        }


def _better(new: Finding, old: Finding) -> bool:
    """Whether ``new`` shows the same thing with a shorter schedule, or at all with one."""
    if not new.schedule:
        return False
    key = (switches(new.schedule), len(new.schedule))
    return not old.schedule or key < (switches(old.schedule), len(old.schedule))


def judge(
    expected: Sequence[str],
    allowed: Sequence[str],
    found: Sequence[str],
    verify: dict[str, Any] | None,
    interrupted: bool,
) -> CellVerdict:
    """A cell against its expectation.

    ``unknown`` whenever a proof was asked for and its budget ended first.
    """
    if set(found) - set(expected) - set(allowed):
        return CellVerdict.UNEXPECTED
    if interrupted or (verify is not None and not verify["complete"]):
        return CellVerdict.UNKNOWN
    if set(expected) - set(found):
        return CellVerdict.MISSED
    return CellVerdict.AS_EXPECTED


def _run_object(cells: list[dict[str, Any]], options: Options, wall_s: float) -> dict[str, Any]:
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    cores = len(os_affinity())
    shown = {**asdict(options), "out": None if options.out is None else str(options.out)}
    return {
        "schema": SCHEMA,
        "racebench": __version__,
        "host": {
            "python": platform.python_version(),
            "gil": gil,
            "cores": cores,
            "platform": platform.platform(),
        },
        "options": shown,
        "wall_s": round(wall_s, 3),
        "cells": cells,
    }


def os_affinity() -> set[int]:
    """The CPUs this process may use."""
    import os

    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def default_folder(name: str) -> Path:
    """``reports/<time>-<name>``, with a number behind it if that exists."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    base = Path("reports") / f"{stamp}-{name}"
    for n in itertools.count(2):
        if not base.exists():
            return base
        base = Path("reports") / f"{stamp}-{name}-{n}"
    raise AssertionError
