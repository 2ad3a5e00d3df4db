"""What many visits tell, put together again: one run, stored as it comes in.

Whoever sends may be killed at any moment, so each message stands alone.
Counts are kept for each visit and summed, never copied: the journal gets a
line when something is new, and again each time its count has doubled.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..findings import CellVerdict, miss_bound
from ..records import VERSION
from .cell import Plan
from .results import SCHEMA
from .runner import host_record
from .store import RunFolder
from .told import judge

_Key = tuple[str, str, str]


@dataclass
class _Known:
    """One signature in one cell, over all visits."""

    finding: dict[str, Any]
    path: str = ""
    seen: dict[str, int] = field(default_factory=dict)
    stored: int = 0

    def add(self, seen: Mapping[str, int]) -> None:
        for mode, n in seen.items():
            self.seen[mode] = self.seen.get(mode, 0) + n

    def record(self) -> dict[str, Any]:
        seen = self.seen or self.finding["seen"]
        return {**self.finding, "seen": dict(seen), "count": max(1, sum(seen.values()))}


class Merger:
    """Takes in what visits tell; ``out`` is the run's folder, None to store nothing.

    A folder that can no longer be written is said once, in ``trouble``; what
    was stored stays, and the rest is kept in memory until ``finish``.
    """

    def __init__(self, out: Path | None, plan: Plan) -> None:
        self.plan = plan
        self.folder = None if out is None else RunFolder(out)
        self.trouble = ""
        self.cells: dict[tuple[str, str], dict[str, Any]] = {}
        self.told: dict[_Key, _Known] = {}
        self._told_of: defaultdict[tuple[str, str], list[_Known]] = defaultdict(list)
        self._visits: dict[str, list[_Key]] = {}
        self._lost: dict[tuple[str, str], str] = {}
        self._stands: dict[str, str] = {}
        self._written: dict[tuple[str, str], tuple[str, list[str], int, int]] = {}
        self._options: dict[str, Any] = {}
        self._started = time.perf_counter()

    def planned(self, rows: Iterable[Mapping[str, str]], seconds: float) -> None:
        """Which cells there will be, as ``resume.planned`` reads them."""
        rows = list(rows)
        if self._options or not rows:
            return
        modes = list(self.plan.modes)
        self._options = {**asdict(self.plan), "modes": modes, "seconds": seconds * len(rows), "cells": rows}
        if self.folder is not None:
            self._store(lambda folder: folder.add_plan(self._options))

    # -- messages

    def hear(self, visit: str, message: Mapping[str, Any]) -> None:
        """One message of ``visit``: a cell begun, a finding, its end, or where its threads stood."""
        if "begin" in message:
            stub = message["begin"]
            self.cells.setdefault((stub["scenario"], stub["protocol"]), dict(stub))
        if "finding" in message:
            self._finding(visit, message["finding"])
        if "visit" in message:
            self._over(message["visit"], message["seen"])
        if "stands" in message:
            self._stands[visit] = message["stands"]

    def lost(self, visit: str, scenario: str, protocol: str, why: str) -> None:
        """``visit`` will never end: its process is gone.  What it told stays."""
        self._lost[scenario, protocol] = why
        self._cell((scenario, protocol))

    def _finding(self, visit: str, finding: dict[str, Any]) -> None:
        key = finding["scenario"], finding["protocol"], finding["signature"]
        self._visits.setdefault(visit, []).append(key)
        known = self.told.get(key)
        new_rule = False
        if known is None:
            known = self.told[key] = _Known(finding)
            of_cell = self._told_of[key[:2]]
            new_rule = all(other.finding["rule"] != finding["rule"] for other in of_cell)
            of_cell.append(known)
        elif not _better(finding, known.finding):
            return
        else:
            known.finding = {**finding, "found_by": known.finding["found_by"]}
        self._write(known)
        # Another signature of a known rule changes no verdict, and there may be thousands.
        if new_rule:
            self._cell(key[:2])

    def _over(self, record: Mapping[str, Any], seen: Mapping[str, Mapping[str, int]]) -> None:
        name = record["scenario"], record["protocol"]
        cell = self.cells.setdefault(name, {**record, "verify": None, "stress": None, "explore": None})
        if "proof" in record:
            cell["proof"] = record["proof"]
        if record["explore"] is not None:
            cell["explore"] = _explored(cell["explore"], record["explore"])
        if record["verify"] is not None and not (cell["verify"] or {}).get("complete"):
            cell["verify"] = record["verify"]
        if record["stress"] is not None:
            cell["stress"] = _summed(cell["stress"], record["stress"])
        for key in ("error", "unseen", "contradicted", "failed"):
            if key in record:
                cell[key] = record[key]
        for signature, counts in seen.items():
            known = self.told.get((*name, signature))
            if known is not None:
                known.add(counts)
                if sum(known.seen.values()) >= 2 * known.stored:
                    self._write(known)
        self._cell(name)

    # -- storing

    def _write(self, known: _Known) -> None:
        record = known.record()
        known.stored = record["count"]

        def write(folder: RunFolder) -> None:
            known.path = folder.add_finding(record)

        self._store(write)

    def _cell(self, name: tuple[str, str]) -> None:
        """Judge a cell anew, and store it if that says something new."""
        cell = self.cells.get(name)
        if cell is None:
            return
        mine = self._told_of[name]
        cell["found"] = sorted({k.finding["rule"] for k in mine})
        cell["findings"] = sorted(k.path for k in mine if k.path)
        unseen = bool(cell.get("unseen"))
        proved = bool(cell["verify"] and cell["verify"]["complete"]) and not unseen
        to_prove = cell.get("proof", "verify" in self.plan.modes and not cell.get("hammered"))
        wanted = proved if to_prove else None
        cut_off = "error" in cell or unseen
        verdict = judge(cell["expected"], cell["allowed"], cell["found"], wanted, cut_off)
        if cell.get("contradicted"):
            verdict = CellVerdict.UNKNOWN
        cell["verdict"] = verdict.value
        if verdict is CellVerdict.UNKNOWN and name in self._lost:
            cell["error"] = self._lost[name]
        # A cell without its proof is not done: --resume runs it again.
        if to_prove and not proved:
            return
        collisions = (cell["stress"] or {}).get("collisions", 0)
        now = cell["verdict"], cell["found"], len(mine), collisions
        before = self._written.get(name)
        if before is None or now[:2] != before[:2] or now[2] >= 2 * before[2] > 0 or now[3] >= 2 * before[3]:
            self._written[name] = now
            self._store(lambda folder: folder.add_cell(cell))

    def _store(self, write: Any) -> None:
        """A full disk must not end the run: say so, and keep what there is."""
        if self.folder is None:
            return
        try:
            write(self.folder)
        except UsageError as error:
            self.trouble = str(error)

    # -- the end

    def finish(self, interrupted: bool) -> dict[str, Any]:
        """The run object, stored, with ``dir`` added."""
        for known in self.told.values():
            if sum(known.seen.values()) > known.stored or not known.path:
                self._write(known)
        for name in self.cells:
            self._cell(name)
        run = {
            "schema": SCHEMA,
            "racebench": VERSION,
            "host": host_record(),
            "options": self._options,
            "wall_s": round(time.perf_counter() - self._started, 3),
            "interrupted": interrupted,
            "cells": sorted(self.cells.values(), key=lambda c: (c["scenario"], c["protocol"])),
        }
        if self.folder is not None:
            self._store(lambda folder: folder.finish(run))
        return {**run, "dir": None if self.folder is None else str(self.folder.path)}

    def findings(self) -> list[tuple[str, dict[str, Any]]]:
        """(path in the run's folder or "", finding) of all that was told."""
        return [(known.path, known.record()) for known in self.told.values()]

    def of_visit(self, visit: str) -> list[tuple[str, dict[str, Any]]]:
        """What ``visit`` was the one to tell, each once."""
        keys = dict.fromkeys(self._visits.get(visit, ()))
        return [(self._shown(self.told[key].path), self.told[key].record()) for key in keys]

    def place(self, finding: Mapping[str, Any]) -> str:
        """Where ``finding`` is stored, as ``racebench replay`` takes it; empty if it is not."""
        known = self.told.get((finding["scenario"], finding["protocol"], finding["signature"]))
        return "" if known is None else self._shown(known.path)

    def stands(self, visit: str) -> str:
        return self._stands.get(visit, "")

    def _shown(self, path: str) -> str:
        return str(self.folder.path / path) if path and self.folder is not None else ""


def _better(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    return bool(new["schedule"]) and (not old["schedule"] or len(new["schedule"]) < len(old["schedule"]))


def _explored(total: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """The explore of two visits as one; rates of single strategies do not add up."""
    if total is None:
        return dict(more)
    first = total["first_failure"]
    if first is None and more["first_failure"] is not None:
        first = total["executions"] + more["first_failure"]
    return {
        "strategy": total["strategy"],
        "executions": total["executions"] + more["executions"],
        "failures": total["failures"] + more["failures"],
        "first_failure": first,
        "seconds": round(total["seconds"] + more["seconds"], 3),
        "strategies": None,
    }


def _summed(total: Mapping[str, Any] | None, more: Mapping[str, Any]) -> dict[str, Any]:
    """The stress of two visits as one."""
    if total is None:
        return dict(more)
    first = total["first_failure_s"]
    if first is None and more["first_failure_s"] is not None:
        first = total["seconds"] + more["first_failure_s"]
    collisions = total["collisions"] + more["collisions"]
    failures = total["failures"] + more["failures"]
    return {
        "collisions": collisions,
        "failures": failures,
        "first_failure_s": first,
        "seconds": round(total["seconds"] + more["seconds"], 3),
        "miss_bound": miss_bound(collisions, failures),
    }
