"""A stored run as reports get it, and its summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from ..records import Cell, FindingRecord, Progress, Run
from .facts import classes, label
from .text import count, counted, duration

Pairs = Sequence[tuple[str, FindingRecord]]
"""(path inside the run's folder, finding)."""

_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass
class Distinct:
    """One signature: its finding, the path that replays it, the other cells in which it was seen.

    A signature that is confirmed in one cell and proved unreachable in another gives two.
    ``with_it`` are other signatures that the same schedule shows, or that predicted this one.
    """

    path: str
    record: FindingRecord
    also: list[str] = field(default_factory=list)
    found: list[tuple[str, FindingRecord]] = field(default_factory=list)
    with_it: list[Distinct] = field(default_factory=list)

    @property
    def rules(self) -> list[str]:
        return list(dict.fromkeys(one.record.finding.rule for one in (self, *self.with_it)))

    @property
    def cells(self) -> set[tuple[str, str]]:
        return {record.cell for one in (self, *self.with_it) for _, record in one.found}

    def take(self, other: Distinct) -> bool:
        """Whether this one's schedule also shows ``other``; if so, ``other`` is added to ``with_it``."""
        for path, record in other.found:
            if record.cell == self.record.cell and _together(self.record, record):
                other.path, other.record = path, record
                self.with_it.append(other)
                return True
        return False


@dataclass(frozen=True)
class Stored:
    """``findings`` are (path inside ``folder``, finding) pairs; ``at`` is when it was stored.

    ``claims`` are the run's verdicts on the claims; ``history`` maps a signature to the number
    of runs that saw it and the number of runs that could have, this one included.  If this is
    only a part of a run, ``whole`` is all of it.
    """

    run: Run
    findings: Pairs
    claims: Sequence[Any] = ()
    at: datetime = _NEVER
    history: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    folder: str = ""
    whole: Stored | None = None
    progress: Sequence[Progress] = ()

    def path(self, path: str) -> str:
        """``path`` as an argument of a command."""
        return str(PurePath(self.folder) / path) if self.folder and path else path

    def surprising(self) -> Stored:
        """The same run, with only the cells that are not as expected."""
        cells = [cell for cell in self.run.cells if cell.verdict != "as_expected"]
        names = {cell.name for cell in cells}
        findings = [pair for pair in self.findings if pair[1].cell in names]
        return replace(
            self, run=replace(self.run, cells=tuple(cells)), findings=findings, claims=(), whole=self
        )


def is_fine(cells: Iterable[Cell]) -> Callable[[FindingRecord], bool]:
    """A function that says whether a finding of ``cells`` is expected or allowed."""
    fine = {(*cell.name, rule) for cell in cells for rule in (*cell.expected, *cell.allowed)}
    return lambda record: (*record.cell, record.finding.rule) in fine


def distinct(stored: Stored) -> list[Distinct]:
    """One for each schedule, unexpected ones first; each signature with its shortest schedule."""
    cells = stored.run.cells
    expected = is_fine(cells)
    place = {cell.name: i for i, cell in enumerate(cells)}

    def best(pair: tuple[str, FindingRecord]) -> tuple[bool, bool, int]:
        schedule = pair[1].finding.schedule
        return expected(pair[1]), not schedule, len(schedule)

    def order(one: Distinct) -> tuple[bool, int, str]:
        record = one.record
        return expected(record), place.get(record.cell, len(place)), record.finding.rule

    found: dict[tuple[str, str], Distinct] = {}
    for path, record in sorted(stored.findings, key=best):
        key = record.finding.signature, label(record)
        if key in found:
            found[key].also.append(" x ".join(record.cell))
        else:
            found[key] = Distinct(stored.path(path), record)
        found[key].found.append((stored.path(path), record))
    shown: list[Distinct] = []
    for one in sorted(found.values(), key=order):
        if not any(other.take(one) for other in shown):
            shown.append(one)
    return shown


def _together(one: FindingRecord, other: FindingRecord) -> bool:
    """Whether one schedule shows both, or one is the deadlock that the other predicts."""
    if "unreachable" in (label(one), label(other)):
        return False
    if one.finding.schedule and one.finding.schedule == other.finding.schedule:
        return True
    hangs = [record for record in (one, other) if record.finding.rule == "deadlock.cycle"]
    return "confirmed" in (label(one), label(other)) and len(hangs) == 1 and classes(one) == classes(other)


def unfinished(run: Run) -> int:
    """How many cells of its plan an interrupted run has not finished."""
    planned = run.options.get("cells")
    if not run.interrupted or not isinstance(planned, list):
        return 0
    return max(0, len(planned) - len(run.cells)) + sum(cell.partial for cell in run.cells)


def summary(run: Run) -> str:
    """The run in a line."""
    # A cell that was cut off has no verdict yet, so it is not counted.
    cut_off = [cell for cell in run.cells if cell.verdict == "unknown" and cell.partial and not cell.lost]
    judged = [cell for cell in run.cells if cell not in cut_off]
    verdicts = Counter(cell.verdict for cell in judged)
    did = Counter[str]()
    for cell in run.cells:
        for mode, result in cell.modes.items():
            did["collision" if mode == "stress" else "controlled execution"] += result.executions
    parts = [f"{count(verdicts['as_expected'])} of {counted(len(judged), 'cell')} as expected"]
    parts += [counted(did[what], what) for what in ("collision", "controlled execution") if did[what]]
    parts += [duration(run.wall_s)] if run.wall_s else []
    parts += [f"{counted(unfinished(run), 'cell')} not run to the end"] if unfinished(run) else []
    parts += [f"{counted(run.torn, 'torn line')} in the journal"] if run.torn else []
    return ("interrupted: " if run.interrupted else "") + ", ".join(parts)
