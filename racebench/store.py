"""A run's folder: journal, findings, run.json.  Reading one never runs code.

The journal is the truth while a run goes on: one line per cell and finding,
flushed and synced as it happens, so that after kill -9 everything reported is
there.  run.json is written whole beside it and renamed into place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ResultError, UsageError
from .trace import schedule_from_json

SCHEMA = 1
_LARGEST = 64 << 20


class RunFolder:
    """The folder of one run, opened for writing."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.path = path
        self._findings = path / "findings"
        taken = any((path / name).exists() for name in ("run.json", "journal.jsonl"))
        if taken and not resume:
            raise UsageError(f"{path}: already holds a run. Name another folder, or use --resume {path}.")
        if resume and not taken:
            raise UsageError(f"{path}: holds no run to resume. Check the folder.")
        try:
            self._findings.mkdir(parents=True, exist_ok=True)
            _end_torn_line(path / "journal.jsonl")
            self._journal = open(path / "journal.jsonl", "a", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: cannot be written: {error.strerror}. Name another folder.") from error
        self._next = 1 + max((int(f.stem) for f in self._findings.glob("[0-9]*.json")), default=0)

    def add_finding(self, finding: Mapping[str, Any]) -> str:
        """Store one finding; returns its path inside the folder."""
        name = f"findings/{self._next:04d}.json"
        self._next += 1
        write_json(self.path / name, {"schema": SCHEMA, **finding})
        self._append({"finding": name, "signature": finding["signature"]})
        return name

    def add_cell(self, cell: Mapping[str, Any]) -> None:
        self._append({"cell": cell})

    def finish(self, run: Mapping[str, Any]) -> None:
        """Write run.json and close the journal."""
        write_json(self.path / "run.json", run)
        self._journal.close()

    def _append(self, entry: Mapping[str, Any]) -> None:
        self._journal.write(json.dumps({"schema": SCHEMA, **entry}) + "\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())


def _end_torn_line(path: Path) -> None:
    """A journal that a kill cut in mid-line gets its line end, so the next line stands alone."""
    if path.exists() and path.stat().st_size:
        with open(path, "rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` so that ``path`` holds the old content or the new, never half."""
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _read(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in ``path``; ResultError if it is not one that we can read."""
    try:
        if not path.is_file():
            raise ResultError(f"{path}: no such file. Give the path of a stored {what}.")
        if path.stat().st_size > _LARGEST:
            raise ResultError(f"{path}: larger than {_LARGEST >> 20} MiB. Give a stored {what}.")
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not JSON: {error}. Give a stored {what}.") from error
    if not isinstance(value, dict):
        raise ResultError(f"{path}: not a JSON object. Give a stored {what}.")
    schema = value.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise ResultError(f"{path}: schema: missing or not a number. Give a stored {what}.")
    if schema > SCHEMA:
        raise ResultError(
            f"{path}: schema {schema} is newer than this RaceBench reads ({SCHEMA}). Upgrade RaceBench."
        )
    return value


def read_finding(path: Path) -> dict[str, Any]:
    """A stored finding; ResultError names what is wrong with it."""
    value = _read(path, "finding")
    for key in ("rule", "signature", "summary", "scenario", "protocol"):
        if not isinstance(value.get(key), str):
            raise ResultError(f"{path}: {key}: missing or not a string. Give a stored finding.")
    if not isinstance(value.get("evidence"), dict):
        raise ResultError(f"{path}: evidence: missing or not an object. Give a stored finding.")
    schedule_from_json(value.get("schedule"), str(path))
    return value


def read_run(path: Path) -> dict[str, Any]:
    """A stored run: run.json, or what the journal has if the run was cut off."""
    if path.is_dir():
        folder, path = path, path / "run.json"
        if not path.exists() and (folder / "journal.jsonl").exists():
            cells, torn = read_journal(folder)
            return {"schema": SCHEMA, "options": {}, "wall_s": 0.0, "cells": cells, "torn": torn}
    value = _read(path, "run")
    cells = value.get("cells")
    if not isinstance(cells, list) or not all(isinstance(c, dict) for c in cells):
        raise ResultError(f"{path}: cells: missing or not a list of objects. Give a stored run.")
    for i, cell in enumerate(cells):
        for key in ("scenario", "protocol", "verdict"):
            if not isinstance(cell.get(key), str):
                raise ResultError(f"{path}: cells[{i}].{key}: missing or not a string. Give a stored run.")
    return value


def read_journal(folder: Path) -> tuple[list[dict[str, Any]], int]:
    """The cells in a run's journal, latest entry of each, and how many lines were torn."""
    cells: dict[tuple[str, str], dict[str, Any]] = {}
    torn = 0
    with open(folder / "journal.jsonl", encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = json.loads(line)
                cell = entry.get("cell")
            except (ValueError, AttributeError, RecursionError):
                torn += 1
                continue
            if isinstance(cell, dict) and isinstance(cell.get("scenario"), str):
                cells[cell["scenario"], str(cell.get("protocol"))] = cell
    return list(cells.values()), torn
