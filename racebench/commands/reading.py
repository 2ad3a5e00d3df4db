"""The verbs that read what is stored and run nothing: explain, report, compare."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..campaign import claims
from ..campaign.results import read_ablation, read_finding, read_journal, read_run
from ..campaign.stop import Stop
from ..errors import RaceBenchError, UsageError
from ..records import FindingRecord
from ..report.ablation import ablation_report
from ..report.compare import compare
from ..report.comparison import comparison
from ..report.finding import finding_panel
from ..report.formats import formats
from ..report.run import document
from ..report.stored import Stored
from ..report.terminal import show, show_run
from ..report.text import clean
from .output import write_json, write_text

_EXAMPLE = "example"
"""The folder of the campaign that comes with RaceBench: among the runs of a user it counts for nothing."""

_OLDER_RUNS, _LARGEST = 20, 64 << 20


def do_explain(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    if not args.stored.is_dir():
        record = read_finding(args.stored)
        show(console, [finding_panel(record, str(args.stored), full=args.full)])
        return 0
    if (args.stored / "ablation.json").is_file():
        show(console, ablation_report(read_ablation(args.stored)))
        return 0
    show_run(console, document(read_stored(args.stored)))
    return 0


def do_report(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    known = formats()
    wanted = [(form, target) for form in known if (target := getattr(args, form.name))]
    if not wanted and not args.brief:
        options = ", ".join(f"--{form.name} F" for form in known)
        raise UsageError(f"no format: give one or more of {options}, or --brief.")
    stored = read_stored(args.run)
    stored = stored.surprising() if args.brief else stored
    for form, target in wanted:
        write_text(target, form.text(stored, args.width))
        console.print(Text(f"{form.name}: {clean(target)}"), soft_wrap=True)
    if not wanted:
        show_run(console, document(stored))
    return 0


def do_compare(args: argparse.Namespace, console: Console, stop: Stop) -> int:
    base, new = read_stored(args.base, beside=False), read_stored(args.new, beside=False)
    compared = compare(base, new)
    if not compared["cells"]["both"]:
        raise UsageError(
            f"{args.base} and {args.new} have no cell in common. Compare runs of the same cells."
        )
    if args.json:
        write_json(args.json, compared)
    if args.json != "-":
        show(console, list(comparison(compared, str(args.base), str(args.new))))
    return 1 if compared["regression"] else 0


def read_stored(path: Path, *, beside: bool = True) -> Stored:
    """A run's folder with all its findings; ``beside``: looks at the older runs beside it too.

    ResultError names what is wrong in which file.
    """
    run, findings = read_run(path), read_findings(path)
    seen = history(path) if beside else {}
    return Stored(run, findings, claims.judge(run.cells), _written(path), seen, str(path))


def read_findings(path: Path) -> list[tuple[str, FindingRecord]]:
    files = sorted((path / "findings").glob("*.json"))
    return [(file.relative_to(path).as_posix(), read_finding(file)) for file in files]


def _written(path: Path) -> datetime:
    """When a run was stored: its last write."""
    for name in ("run.json", "journal.jsonl"):
        if (path / name).is_file():
            return datetime.fromtimestamp((path / name).stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)


def history(path: Path) -> dict[str, str]:
    """``seen in 3 of the last 5 runs`` for each signature, from the older runs beside this one.

    Counts the runs that ran a cell in which this run saw the signature.  What
    cannot be read is no run.
    """
    runs = [_Seen(path), *_older(path)]
    if len(runs) == 1:
        return {}
    told = {}
    for signature, cells in runs[0].cells_of.items():
        asked = [run for run in runs if run.cells & cells]
        if len(asked) > 1:
            times = sum(signature in run.cells_of for run in asked)
            told[signature] = f"seen in {times} of the last {len(asked)} runs"
    return told


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
