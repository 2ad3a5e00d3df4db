"""Campaigns: cells x modes x budgets x processes, stored as they go.

Everything that a listener hears has been stored before: after kill -9 what
was shown is there.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from .. import engine
from ..errors import RaceBenchError, UsageError
from ..records import VERSION
from ..scenario.scenario import Scenario
from ..scenario.selection import choices, load_protocol
from .cell import CellResult, Plan, failed, in_child, limit_s
from .child import LATE, Call
from .place import Place
from .pool import Job, Pool
from .results import SCHEMA
from .resume import plan_record
from .stop import Stop
from .store import RunFolder
from .told import Cell, Earlier, cell_record

_WORTH_STORING_S = 10.0


class Listener(Protocol):
    """Hears what goes on; a user interface."""

    def started(self, cells: int, seconds: float) -> None: ...

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None: ...

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        """Stored under ``path`` (empty without a folder); told again when there is more to say."""

    def cell_done(self, cell: dict[str, Any]) -> None: ...

    def note(self, text: str) -> None: ...


@dataclass(frozen=True)
class Options:
    """What a campaign is to do; ``seconds`` is for all of it, 0 if executions are counted instead."""

    plan: Plan = field(default_factory=Plan)
    seconds: float = 30.0
    jobs: int = 1
    out: Path | None = None
    resume: bool = False


def cells_for(scenarios: Sequence[Scenario], protocols: Sequence[str] | None = None) -> list[Cell]:
    """The cells of ``scenarios`` under ``protocols``, by default those each one names.

    For a Python scenario ``protocols`` pick among its variants.  Runs a
    user's protocol file.  UsageError if nothing is left, or two have one id.
    """
    if protocols is None:
        cells = [Cell(s, choice) for s in scenarios for choice in choices(s)]
    else:
        asked = list(dict.fromkeys(protocols))
        variants = {name for s in scenarios for name in s.variants}
        loaded = [load_protocol(spec) for spec in asked if spec not in variants]
        if len({c.id for c in loaded}) < len({c.spec for c in loaded}):
            raise UsageError("two protocols have the same name. Rename one, or run them apart.")
        chosen = {c.id: c for c in loaded}
        cells = []
        for s in scenarios:
            own = [c for c in choices(s) if c.id in asked]
            cells += [Cell(s, c) for c in (own if s.variants else chosen.values())]
    if not cells:
        raise UsageError("no cell to run: the scenarios name no such protocol. Give another --protocol.")
    return cells


def run_campaign(
    cells: Sequence[Cell], options: Options, listener: Listener, stop: Stop | None = None
) -> dict[str, Any]:
    """Run ``cells`` in ``options.jobs`` child processes; returns the run.json object, with ``dir`` added.

    With ``options.out`` everything is stored there as it happens.  When
    ``stop`` is asked, or something fails, what is known is stored first.
    """
    stop = stop or Stop()
    campaign = Campaign(cells, options, listener, stop)
    try:
        if campaign.waiting:
            with Pool(options.jobs, stop, len(campaign.waiting)) as pool:
                pool.run(_Employer(campaign))
    finally:
        run = campaign.finish()
    return run


class _Employer:
    """What the pool's children are to do for a campaign: a cell each."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign, self._options = campaign, campaign.options

    def next_job(self, free: int) -> Job | None:
        waiting, plan = self._campaign.waiting, self._options.plan
        if not waiting:
            return None
        seconds = self._campaign.share(len(waiting), self._options.jobs)
        cell = waiting.popleft()
        call = Call(in_child, (Place.of(cell), plan, seconds, self._campaign.earlier(cell)))
        return Job(cell, call, limit_s(plan, seconds))

    def told(self, job: Job, word: str, *what: Any) -> None:
        if word != LATE:
            getattr(self._campaign, word)(*what)

    def done(self, job: Job, value: CellResult) -> None:
        self._campaign.cell_done(value)

    def failed(self, job: Job, error: RaceBenchError) -> None:
        """The cell could not be run at all."""
        self._campaign.cell_done(failed(job.asker, error))

    def lost(self, job: Job, why: str) -> None:
        self._campaign.cell_lost(job.asker, why)


class Campaign:
    """One call of ``run_campaign``: stores what its cells tell."""

    def __init__(self, cells: Sequence[Cell], options: Options, listener: Listener, stop: Stop) -> None:
        self.cells, self.options, self.listener, self.stop = cells, options, listener, stop
        if "stress" not in options.plan.modes:
            for cell in cells:
                if cell.scenario.mix is not None:
                    what = f"{cell.scenario.path}: its threads draw, so it can only be hammered."
                    raise UsageError(f"{what} Use `racebench run {cell.scenario.name}`.")
        self.started = time.perf_counter()
        self.done: dict[tuple[str, str], dict[str, Any]] = {}
        self.told: dict[tuple[str, str, str], tuple[str, str]] = {}
        self.so_far: dict[tuple[str, str], dict[str, Any]] = {}
        self.stored_s: dict[tuple[str, str], float] = {}
        self.folder = None
        if options.out is not None:
            self.folder = RunFolder(options.out, resume=options.resume)
            self.done = dict(self.folder.earlier.cells)
            if self.folder.earlier.torn:
                listener.note(f"{self.folder.earlier.torn} torn line(s) in the journal: a run was cut off")
            if self.folder.earlier.plan is None:
                self.folder.add_plan(plan_record(cells, options.plan, options.seconds))
        self.waiting = deque(cell for cell in cells if cell.name not in self.done)
        listener.started(len(self.waiting), options.seconds)

    def share(self, left: int, jobs: int) -> float:
        """Seconds for the next of ``left`` cells, ``jobs`` of which run at a time."""
        rest = self.started + self.options.seconds - time.perf_counter()
        return max(0.05, min(rest, rest * jobs / left))

    def earlier(self, cell: Cell) -> Earlier:
        """What an interrupted run of this folder has of ``cell``."""
        return Earlier() if self.folder is None else self.folder.earlier_of(*cell.name)

    # -- what cells tell

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        self.listener.cell_started(scenario, protocol, mode, seconds)

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None:
        self.listener.cell_progress(scenario, protocol, mode, progress)

    def cell_so_far(self, cell: dict[str, Any]) -> None:
        """Store it each time there is a tenth more: so much a kill costs, and the journal stays short."""
        name = cell["scenario"], cell["protocol"]
        seconds = sum(cell[mode]["seconds"] for mode in ("verify", "stress") if cell[mode])
        if seconds < max(_WORTH_STORING_S, 1.1 * self.stored_s.get(name, 0.0)):
            return
        self.stored_s[name] = seconds
        self._add_so_far(cell)

    def _add_so_far(self, cell: dict[str, Any]) -> None:
        told = [
            path for key, (path, _) in self.told.items() if key[:2] == (cell["scenario"], cell["protocol"])
        ]
        self.so_far[cell["scenario"], cell["protocol"]] = cell = {
            **cell,
            "findings": sorted(filter(None, told)),
        }
        if self.folder is not None:
            self.folder.add_so_far(cell)

    def finding(self, finding: dict[str, Any]) -> None:
        path = "" if self.folder is None else self.folder.add_finding(finding)
        key = finding["scenario"], finding["protocol"], finding["signature"]
        self.told[key] = path, finding["rule"]
        self.listener.finding(path, finding)

    def cell_done(self, result: CellResult) -> None:
        """A cell is over."""
        cell = result.cell
        name = cell["scenario"], cell["protocol"]
        paths = (self.told[*name, signature][0] for signature in result.signatures)
        cell["findings"] = [path for path in paths if path]
        self.done[name] = cell
        # An interrupted cell is gone on with by --resume, and so is not done in the journal either.
        if result.interrupted:
            cell["partial"] = True
            self._add_so_far(cell)
        elif self.folder is not None:
            self.folder.add_cell(cell)
        self.listener.cell_done(cell)

    def cell_lost(self, cell: Cell, why: str) -> None:
        """The process that ran ``cell`` is gone; what it told is kept, and --resume runs it again."""
        told = {key[2]: rule for key, (_, rule) in self.told.items() if key[:2] == cell.name}
        proved = False if "verify" in self.options.plan.modes else None
        if self.folder is not None:
            why = f"{why}. `racebench run --resume {self.folder.path}` runs the cell again"
        so_far = self.so_far.get(cell.name, {})
        modes = {mode: so_far[mode] for mode in ("verify", "stress") if so_far.get(mode)}
        record = cell_record(cell, told.values(), modes, proved, True, why)
        self.cell_done(CellResult({**record, "lost": True}, list(told), interrupted=True))

    def finish(self) -> dict[str, Any]:
        """The run object, stored."""
        asked = dict.fromkeys(c.name for c in self.cells)
        cells = [self.done[name] for name in asked if name in self.done]
        # A run that is gone on with may have cells that were not asked for now.
        cells += [cell for name, cell in self.done.items() if name not in asked]
        run = {
            "schema": SCHEMA,
            "racebench": VERSION,
            "host": host_record(),
            "options": plan_record(self.cells, self.options.plan, self.options.seconds),
            "wall_s": round(time.perf_counter() - self.started, 3),
            # Something may have failed, too.
            "interrupted": self.stop.asked or not self.done.keys() >= asked.keys(),
            "cells": cells,
        }
        if self.folder is not None:
            self.folder.finish(run)
        return {**run, "dir": None if self.folder is None else str(self.folder.path)}


def host_record() -> dict[str, Any]:
    """Where a run ran; ``cores`` are those that this process may use."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    return {
        "python": platform.python_version(),
        "gil": getattr(sys, "_is_gil_enabled", lambda: True)(),
        "cores": cores,
        "platform": platform.platform(),
    }
