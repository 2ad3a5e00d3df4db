"""Unexpected results as lines that GitHub shows beside the code: ``::error file=...``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .facts import cell_name, conflict, missing, replay_command, why
from .places import Repository, first_spot
from .stored_run import Stored
from .text import clean, joined
from .tree import known

_MOST = 10
"""GitHub shows no more than this for a step."""


def wanted(environment: Mapping[str, str]) -> bool:
    return environment.get("GITHUB_ACTIONS") == "true"


def github_lines(stored: Stored) -> list[str]:
    """A line for each unexpected finding, and for each cell that missed a rule or has no answer."""
    return list(_lines(stored))[:_MOST]


def _lines(stored: Stored) -> Iterator[str]:
    repository = Repository()
    cells = {cell.name: cell for cell in stored.run.cells}
    written = set()
    for path, record in stored.findings:
        cell, signature = cells.get(record.cell), record.finding.signature
        if cell is None or record.finding.rule not in cell.unexpected or signature in written:
            continue
        written.add(signature)
        again = replay_command(record, stored.path(path))
        text = f"{cell_name(record)}: {clean(record.finding.summary)}" + (f"\n{again}" if again else "")
        spot = first_spot(record, repository)
        place = {"file": spot.file, "line": spot.line} if spot else {}
        yield _line("error", {**place, "title": conflict(record)}, text)
    for cell in cells.values():
        if known(cell.verdict) in ("missed", "unknown"):
            text = f"not found: {joined(missing(cell))}" if missing(cell) else "no answer"
            title = {"title": f"{cell_name(cell)}: {cell.verdict}"}
            yield _line("error", title, f"{text}: {why(cell)}" if why(cell) else text)


def _line(kind: str, properties: Mapping[str, object], text: str) -> str:
    given = ",".join(f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items())
    return f"::{kind} {given}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
