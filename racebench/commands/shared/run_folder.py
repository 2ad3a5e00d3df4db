"""Read a stored run, for the verbs that run nothing: explain, report, compare."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ...campaign import claims
from ...campaign.results import read_findings, read_journal, read_run
from ...errors import RaceBenchError
from ...records import Progress
from ...report.stored_run import Stored

_EXAMPLE = "example"
"""The folder of the example campaign, which comes with RaceBench; it is not one of the user's runs."""

_OLDER_RUNS, _LARGEST = 20, 64 << 20


def read_stored(path: Path, *, beside: bool = True) -> Stored:
    """Read a run's folder with all its findings; ``beside``: also read the older runs beside it.

    ResultError names the file and says what is wrong with it.
    """
    run, findings = read_run(path), read_findings(path)
    seen = history(path) if beside else {}
    judged, went = claims.judge(run.cells), _progress(path)
    return Stored(run, findings, judged, _written(path), seen, str(path), progress=went)


def _progress(path: Path) -> list[Progress]:
    """The progress of the run, if its journal can be read; a report can do without."""
    journal = path / "journal.jsonl"
    try:
        fits = journal.is_file() and journal.stat().st_size <= _LARGEST
        return read_journal(path).progress if fits else []
    except RaceBenchError:
        return []


def _written(path: Path) -> datetime:
    """The time of a run's last write."""
    for name in ("run.json", "journal.jsonl"):
        if (path / name).is_file():
            return datetime.fromtimestamp((path / name).stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)


def history(path: Path) -> dict[str, tuple[int, int]]:
    """For each signature (n, of): n of so many runs saw it; this run and the older ones beside it.

    Counts the runs that ran a cell in which this run saw the signature.  Runs that
    cannot be read do not count.
    """
    own = _Seen(path)
    # If this run saw no signature, older runs add nothing, and reading them takes time.
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
    """The keys of all findings: from the journal, which is one file; from the findings if it is gone."""
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
