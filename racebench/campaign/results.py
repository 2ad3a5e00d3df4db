"""Read the results that a run has stored.  Reading never runs code.

Unknown keys are ignored; a newer schema, or a value that is not of the shape
that RaceBench writes, is a ResultError that names the file and the key.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from ..bounds import Fields, beyond, fits
from ..errors import ResultError
from ..records import Cell, FindingRecord, ModeResult, Progress, Run, StoredRun, check_schema

_LARGEST, _LARGEST_JOURNAL, _LONGEST_LINE = 64 << 20, 1 << 30, 16 << 20
_FINDING = re.compile(r"findings/[0-9]{4,9}\.json")


def _read(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in ``path``; ResultError if there is none."""
    try:
        if not path.is_file():
            raise ResultError(f"{path}: no such file. Give the path of a stored {what}.")
        if path.stat().st_size > _LARGEST:
            raise ResultError(f"{path}: larger than {_LARGEST >> 20} MiB. Give a stored {what}.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}. Check the file.") from error
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not JSON: {error}. Give a stored {what}.") from error
    if not isinstance(value, dict):
        raise ResultError(f"{path}: not a JSON object. Give a stored {what}.")
    too_much = beyond(value, numbers=what != "finding")
    if too_much:
        raise ResultError(f"{path}: {too_much}. Give a stored {what}.")
    check_schema(value, str(path))
    return value


def read_finding(path: Path) -> FindingRecord:
    """Read a stored finding; ResultError says what is wrong with it."""
    return FindingRecord.from_json(_read(path, "finding"), str(path))


_ANSWER = {
    **dict.fromkeys(("what", "verdict"), str),
    **dict.fromkeys(("scenarios", "open", "spoilt?", "astray?"), [str]),
    "change": dict,
    "best?": dict.fromkeys(("scenario", "rule", "replay?", "label?"), str),
    "breaks": [(str, str)],
    "executions": int,
}
_AGAINST = {
    **dict.fromkeys(("new", "fixed"), [str]),
    "parent": str,
    "both": int,
    "answers": {"new": [str], "gone": [str]},
    "regression": bool,
}
_ABLATION: Mapping[str, tuple[Any, ...]] = {
    "protocol": (str,),
    "answers": ([_ANSWER],),
    "scenarios": ([str],),
    "breaks": ({str: [str]}, {}),
    "executions": (int,),
    "interrupted": (bool,),
    "against": (_AGAINST, None),
}


def read_ablation(folder: Path) -> dict[str, Any]:
    """Read the answers of an ablation; ResultError if RaceBench would not write them so."""
    path = folder / "ablation.json"
    value = _read(path, "ablation")
    Fields(value, str(path)).all(_ABLATION)
    return value


def read_findings(folder: Path) -> list[tuple[str, FindingRecord]]:
    """(path inside ``folder``, finding) of all findings that a run has stored."""
    files = sorted((folder / "findings").glob("*.json"))
    return [(file.relative_to(folder).as_posix(), read_finding(file)) for file in files]


def read_run(path: Path) -> Run:
    """Read a stored run: run.json, or the journal if the run was cut off."""
    if path.is_dir():
        folder, path = path, path / "run.json"
        if not path.exists() and (folder / "journal.jsonl").exists():
            return _run_from_journal(folder)
    return Run.from_json(_read(path, "run"), str(path))


def load(path: str | os.PathLike[str]) -> StoredRun:
    """Read the stored run in the folder ``path``, or whose ``run.json`` is ``path``; runs no code.

    ResultError names the file and says what is wrong with it.
    """
    place = Path(path)
    folder = place if place.is_dir() else place.parent
    return StoredRun(read_run(place), dict(read_findings(folder)))


def _run_from_journal(folder: Path) -> Run:
    journal = read_journal(folder)
    cells = tuple(journal.cells.values())
    return Run(cells, journal.plan or {}, racebench="", interrupted=True, torn=journal.torn)


class Journal:
    """The content of a journal: the latest entry of each cell (``partial`` if cut off) and finding."""

    def __init__(self) -> None:
        self.plan: dict[str, Any] | None = None
        self.cells: dict[tuple[str, str], Cell] = {}
        self.findings: dict[tuple[str, str, str], str] = {}
        self.torn = 0
        self.progress: list[Progress] = []
        """The progress of a cell between two of its entries."""
        self._started: float | None = None
        self._heard: dict[tuple[str, str], float] = {}

    def take(self, entry: Mapping[str, Any]) -> None:
        """Handle one line; ignore keys that this RaceBench does not know."""
        if self._started is None and fits(entry.get("at"), float):
            self._started = float(entry["at"])
        for key, partial in (("so_far", True), ("cell", False)):
            if key in entry:
                with suppress(ResultError):
                    cell = Cell.from_json(entry[key], key)
                    self._goes_on(entry.get("at"), self.cells.get(cell.name), cell)
                    self.cells[cell.name] = replace(cell, partial=partial)
        if isinstance(entry.get("plan"), dict):
            self.plan = entry["plan"]
        path, of = entry.get("finding"), [entry.get(k) for k in ("scenario", "protocol", "signature")]
        if isinstance(path, str) and _FINDING.fullmatch(path) and fits(of, [str]):
            scenario, protocol, signature = map(str, of)
            self.findings[scenario, protocol, signature] = path

    def _goes_on(self, at: Any, before: Cell | None, now: Cell) -> None:
        """Note the progress to ``now``, the new total; journals of an older RaceBench have no times."""
        if not fits(at, float) or self._started is None or now.stress is None:
            return
        was = before.stress if before is not None and before.stress is not None else ModeResult("stress")
        collisions, failures = now.stress.executions - was.executions, now.stress.failures - was.failures
        since = self._heard.get(now.name, self._started)
        self._heard[now.name] = float(at)
        self.progress.append(Progress(since, float(at), max(0, collisions), max(0, failures)))


def read_journal(folder: Path) -> Journal:
    """Read the journal of a run; lines torn by a kill are counted and skipped."""
    journal = Journal()
    path = folder / "journal.jsonl"
    try:
        # Checked first, because opening a FIFO waits for a writer, and reading a device may never end.
        if not path.is_file():
            raise ResultError(f"{path}: no such file. Give a run's folder.")
        if path.stat().st_size > _LARGEST_JOURNAL:
            raise ResultError(f"{path}: larger than {_LARGEST_JOURNAL >> 20} MiB. Give a run's folder.")
        with open(path, "rb") as file:
            for line in _lines(file):
                entry = _entry(line)
                if entry is None:
                    journal.torn += 1
                    continue
                check_schema(entry, str(path))
                journal.take(entry)
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}. Give a run's folder.") from error
    return journal


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of ``file``; a line that is too long for a journal gives b""."""
    whole = True
    while line := file.readline(_LONGEST_LINE):
        ends = line.endswith(b"\n") or len(line) < _LONGEST_LINE
        if whole:
            yield line if ends else b""
        whole = ends


def _entry(line: bytes) -> dict[str, Any] | None:
    """The JSON object in a line of a journal; None if the line holds none."""
    try:
        entry = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and not beyond(entry) else None
