"""A stored run, for the verbs that read it and run nothing: explain, report, compare."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ...campaign import claims
from ...campaign.results import read_findings, read_journal, read_run
from ...errors import RaceBenchError
from ...report.stored_run import Progress, Stored

_EXAMPLE = "example"
"""The folder of the campaign that comes with RaceBench: among the runs of a user it counts for nothing."""

_OLDER_RUNS, _LARGEST = 20, 64 << 20


def read_stored(path: Path, *, beside: bool = True) -> Stored:
    """A run's folder with all its findings; ``beside``: looks at the older runs beside it too.

    ResultError names what is wrong in which file.
    """
    run, findings = read_run(path), read_findings(path)
    seen = history(path) if beside else {}
    went = [Progress(*seen) for seen in _progress(path)]
    judged = claims.judge(run.cells)
    return Stored(run, findings, judged, _written(path), seen, str(path), progress=went)


def _progress(path: Path) -> list[tuple[float, float, int, int]]:
    """How the run went, if its journal is there: the report needs none."""
    journal = path / "journal.jsonl"
    try:
        fits = journal.is_file() and journal.stat().st_size <= _LARGEST
        return read_journal(path).progress if fits else []
    except RaceBenchError:
        return []


def _written(path: Path) -> datetime:
    """When a run was stored: its last write."""
    for name in ("run.json", "journal.jsonl"):
        if (path / name).is_file():
            return datetime.fromtimestamp((path / name).stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)


def history(path: Path) -> dict[str, tuple[int, int]]:
    """In how many of how many runs each signature was seen: this one, and the older ones beside it.

    Counts the runs that ran a cell in which this run saw the signature.  What
    cannot be read is no run.
    """
    own = _Seen(path)
    # Where nothing was seen, older runs have nothing to add, and reading them takes its time.
    runs = [own, *_older(path)] if own.cells_of else []
    seen = {}
    for signature, cells in own.cells_of.items():
        asked = [run for run in runs if run.cells & cells]
        if len(asked) > 1:
            times = sum(signature in run.cells_of for run in asked)
            seen[signature] = times, len(asked)
    return seen


class _Seen:
    """The cells of one run, and those in which it saw each signature."""

    def __init__(self, path: Path) -> None:
        self.cells = {cell.name for cell in read_run(path).cells}
        self.cells_of: dict[str, set[tuple[str, str]]] = {}
        for scenario, protocol, signature in _signatures(path):
            self.cells_of.setdefault(signature, set()).add((scenario, protocol))


def _signatures(path: Path) -> Iterator[tuple[str, str, str]]:
    """From the journal, which names them all in one file; from the findings if it is gone."""
    journal = path / "journal.jsonl"
    if journal.is_file() and journal.stat().st_size <= _LARGEST:
        yield from read_journal(path).findings
        return
    yield from (record.key for _, record in read_findings(path))


def _older(path: Path) -> Iterator[_Seen]:
    """The runs beside ``path`` that were stored before it, newest first."""
    path = path.resolve()
    if path.name == _EXAMPLE:
        return
    try:
        beside = [p for p in path.parent.iterdir() if p.name not in (path.name, _EXAMPLE)]
        dated = sorted(((p / "run.json").stat().st_mtime, p) for p in beside if (p / "run.json").is_file())
    except OSError:
        return
    own = _written(path).timestamp()
    for _, older in [pair for pair in dated if pair[0] <= own][::-1][:_OLDER_RUNS]:
        try:
            yield _Seen(older)
        except (RaceBenchError, OSError):
            continue
