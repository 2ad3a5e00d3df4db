"""What a run has stored, read back.  Reading never runs code.

Unknown keys are ignored; a newer schema, or a value that is not of the shape
that RaceBench writes, is a ResultError that names the file and the key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ..bounds import beyond
from ..errors import ResultError
from ..trace import schedule_from_json

SCHEMA = 1
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
    check_schema(value, path)
    return value


def check_schema(value: Mapping[str, Any], path: Path) -> None:
    """ResultError unless ``value`` says a schema that this RaceBench reads."""
    schema = value.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ResultError(f"{path}: schema: missing or not a number. Give a file that RaceBench stored.")
    if schema > SCHEMA:
        raise ResultError(
            f"{path}: schema {schema} is newer than this RaceBench reads ({SCHEMA}). Upgrade RaceBench."
        )


def read_finding(path: Path) -> dict[str, Any]:
    """A stored finding; ResultError names what is wrong with it."""
    value = _read(path, "finding")
    for key in ("rule", "signature", "summary", "scenario", "protocol"):
        if not isinstance(value.get(key), str):
            raise ResultError(f"{path}: {key}: missing or not a string. Give a stored finding.")
    schedule_from_json(value.get("schedule"), str(path))
    if not _fits(value.get("evidence"), _EVIDENCE, partly=True):
        raise ResultError(f"{path}: evidence: missing, or not as RaceBench writes it. Give a stored finding.")
    if not _fits(value, _FINDING_KEYS, partly=True):
        keys = ", ".join(_FINDING_KEYS)
        raise ResultError(f"{path}: one of {keys} is not as RaceBench writes it. Give a stored finding.")
    return value


_PLACE = {"lock": str, "site": str}
_EVIDENCE: Mapping[str, Any] = {
    "ring": [{"thread": str, "holds": [_PLACE], "wants": _PLACE}],
    "waiting": [{"thread": str, "holds": [_PLACE], "wants": _PLACE}],
    "steps": [
        {"thread": str, "op": str, "object": str, "old": str, "new": str, "held": [str], "stack": [str]}
    ],
    "results": dict,
    "stacks": dict,
    "message": str,
    "site": str,
    "reproduced": bool,
}
_FINDING_KEYS: Mapping[str, Any] = {
    "threads": [str],
    "count": int,
    "found_by": dict,
    "seen": dict,
    "replay_args": [str],
    "rerun": str,
    "scenario_file": str,
    "source": str,
}


_BEST = {"scenario": str, "rule": str}
_BEST_MORE = {"replay": str, "label": str}
_ANSWER = {
    "what": str,
    "change": dict,
    "verdict": str,
    "breaks": [[str]],
    "scenarios": [str],
    "open": [str],
    "executions": int,
}
_ABLATION = {
    "protocol": str,
    "answers": [_ANSWER],
    "scenarios": [str],
    "executions": int,
    "interrupted": bool,
}


def read_ablation(folder: Path) -> dict[str, Any]:
    """The answers of an ablation; ResultError if they are not as RaceBench writes them."""
    path = folder / "ablation.json"
    value = _read(path, "ablation")
    if not _fits(value, _ABLATION) or not _fits(value.get("breaks", {}), dict):
        raise ResultError(f"{path}: not as RaceBench writes it. Give the folder of an ablation.")
    for answer in value["answers"]:
        best = answer.get("best")
        if best is not None and not (_fits(best, _BEST) and _fits(best, _BEST_MORE, partly=True)):
            raise ResultError(f"{path}: answers.best: not as RaceBench writes it. Store it again.")
        if any(len(pair) != 2 for pair in answer["breaks"]):
            raise ResultError(f"{path}: answers.breaks: not pairs. Store it again.")
        for key in ("spoilt", "astray"):
            if not _fits(answer.get(key, []), [str]):
                raise ResultError(f"{path}: answers.{key}: not a list of scenarios. Store it again.")
    if not all(_fits(rules, [str]) for rules in value.get("breaks", {}).values()):
        raise ResultError(f"{path}: breaks: not lists of rules. Store it again.")
    return value


def _fits(value: Any, shape: Any, *, partly: bool = False) -> bool:
    """Whether ``value`` has ``shape``; with ``partly`` an object's keys may be missing."""
    if isinstance(shape, type):
        return isinstance(value, shape) and not (shape is int and beyond(value))
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(v, shape[0]) for v in value)
    if not isinstance(value, dict):
        return False
    return all(_fits(value[k], s) if k in value else partly for k, s in shape.items())


def read_run(path: Path) -> dict[str, Any]:
    """A stored run: run.json, or what the journal has if the run was cut off."""
    if path.is_dir():
        folder, path = path, path / "run.json"
        if not path.exists() and (folder / "journal.jsonl").exists():
            return _run_from_journal(folder)
    value = _read(path, "run")
    cells = value.get("cells")
    if not isinstance(cells, list) or not all(isinstance(c, dict) for c in cells):
        raise ResultError(f"{path}: cells: missing or not a list of objects. Give a stored run.")
    for i, cell in enumerate(cells):
        wrong = _wrong_in_cell(cell)
        if wrong:
            raise ResultError(f"{path}: cells[{i}].{wrong}: missing or of the wrong type. Give a stored run.")
    return value


def _run_from_journal(folder: Path) -> dict[str, Any]:
    journal = read_journal(folder)
    return {
        "schema": SCHEMA,
        "options": journal.plan or {},
        "wall_s": None,
        "interrupted": True,
        "torn": journal.torn,
        "cells": [*journal.cells.values(), *({**c, "partial": True} for c in journal.so_far.values())],
    }


_TEXTS, _LISTS = ("scenario", "protocol", "verdict"), ("expected", "allowed", "found", "findings")
_MODES = {
    "stress": ("collisions", "failures"),
    "verify": ("complete", "executions"),
    "explore": ("executions", "failures"),
}


def _wrong_in_cell(cell: Mapping[str, Any]) -> str | None:
    """The key of a stored cell that cannot be used as it is; None if all can."""
    for key in _TEXTS:
        if not isinstance(cell.get(key), str):
            return key
    for key in _LISTS:
        value = cell.get(key)
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            return key
    if not isinstance(cell.get("error", ""), str):
        return "error"
    unseen = cell.get("unseen", [])
    if not isinstance(unseen, list) or not all(isinstance(v, str) for v in unseen):
        return "unseen"
    for mode, keys in _MODES.items():
        value = cell.get(mode)
        if value is None:
            continue
        if not isinstance(value, dict) or not all(isinstance(value.get(k), int) for k in keys):
            return mode
    return None


def counted(cell: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of a cell that was cut off, the modes that can be gone on from: a proof only if it was complete."""
    modes: dict[str, dict[str, Any]] = {}
    stress, verify = cell.get("stress"), cell.get("verify")
    if isinstance(stress, dict):
        first = stress.get("first_failure_s")
        if _counts(*(stress.get(key) for key in ("collisions", "failures", "seconds")), first or 0):
            modes["stress"] = {**stress, "first_failure_s": first}
    if (
        isinstance(verify, dict)
        and verify.get("complete") is True
        and _counts(verify.get("executions"), verify.get("seconds"))
    ):
        modes["verify"] = verify
    return modes


def _counts(*values: Any) -> bool:
    """Whether these are numbers of things, or of seconds."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) and v >= 0 for v in values)


@dataclass
class Journal:
    """What a journal holds: the latest entry of each cell and finding.

    ``so_far`` has cells that were cut off, as far as they had come.
    """

    plan: dict[str, Any] | None = None
    cells: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    so_far: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    findings: dict[tuple[str, str, str], str] = field(default_factory=dict)
    torn: int = 0

    def take(self, entry: Any) -> None:
        """One line; what this RaceBench does not know is ignored."""
        cell, so_far, plan = entry.get("cell"), entry.get("so_far"), entry.get("plan")
        if isinstance(cell, dict) and _wrong_in_cell(cell) is None:
            self.cells[cell["scenario"], cell["protocol"]] = cell
            self.so_far.pop((cell["scenario"], cell["protocol"]), None)
        if isinstance(so_far, dict) and _wrong_in_cell(so_far) is None:
            self.so_far[so_far["scenario"], so_far["protocol"]] = so_far
        if isinstance(plan, dict):
            self.plan = plan
        name = entry.get("finding")
        key = (entry.get("scenario"), entry.get("protocol"), entry.get("signature"))
        if isinstance(name, str) and _FINDING.fullmatch(name) and all(isinstance(k, str) for k in key):
            self.findings[key] = name


def read_journal(folder: Path) -> Journal:
    """The journal of a run; lines that a kill tore are counted, not fatal."""
    journal = Journal()
    path = folder / "journal.jsonl"
    try:
        # Asked first: to open a FIFO waits for a writer, and a device never ends.
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
                check_schema(entry, path)
                journal.take(entry)
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}. Give a run's folder.") from error
    return journal


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of ``file``; one that is too long for ours is empty."""
    whole = True
    while line := file.readline(_LONGEST_LINE):
        ends = line.endswith(b"\n") or len(line) < _LONGEST_LINE
        if whole:
            yield line if ends else b""
        whole = ends


def _entry(line: bytes) -> dict[str, Any] | None:
    """The object in a line of a journal; None if there is none."""
    try:
        entry = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and not beyond(entry) else None
