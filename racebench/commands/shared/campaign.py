"""A campaign as the command line shows it, for the verbs that run cells."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ...campaign import claims
from ...campaign.runner import Options, run_campaign
from ...campaign.stop import Stop
from ...records import Cell
from ...report import dicts
from ...report.facts import cell_name
from ...report.live import LiveScreen, PlainLines, Quiet
from ...report.run import document
from ...report.stored import Stored
from ...report.terminal import show_run
from ...report.text import counted
from .output import Output, Screen, complain, fancy


def campaign(args: argparse.Namespace, cells: Sequence[Cell], options: Options, stop: Stop) -> int:
    """Run ``cells``, show what comes of them, and return the exit status."""
    output = Output(args.json)
    collected = _Collected(_listener(output.progress, args.quiet))
    try:
        run = run_campaign(cells, options, collected, stop)
    finally:
        collected.screen.close()
    output.json({key: value for key, value in run.items() if key != "dir"})
    found = dicts.pairs(collected.findings())
    stored = Stored(dicts.run(run), found, claims.judge(run), folder=run["dir"] or "")
    show_run(output.answer, document(stored.surprising() if args.quiet else stored))
    return _status(run)


def _status(run: dict[str, Any]) -> int:
    """The exit status of ``run``; says what went wrong in which cells."""
    wrong = [cell for cell in run["cells"] if "error" in cell]
    for error in sorted({cell["error"] for cell in wrong}):
        names = [cell_name(dicts.cell(cell)) for cell in wrong if cell["error"] == error]
        others = f" and {counted(len(names) - 1, 'more cell')}" if len(names) > 1 else ""
        complain(f"{names[0]}{others}: {error}")
    faults = [cell for cell in wrong if not cell.get("lost")]
    if run["interrupted"]:
        return 130
    if any(cell.get("failed") for cell in faults):
        complain("Please report it, with the traceback that RACEBENCH_DEBUG=1 shows.")
        return 3
    if faults:
        return 2
    return 0 if all(cell["verdict"] == "as_expected" for cell in run["cells"]) else 1


def _listener(screen: Screen, quiet: bool) -> Quiet | LiveScreen | PlainLines:
    if quiet:
        return Quiet(screen)
    return LiveScreen(screen) if fancy(screen) else PlainLines(screen)


class _Collected:
    """Passes everything on to the screen, and keeps the findings for the end."""

    def __init__(self, screen: Any) -> None:
        self.screen = screen
        self._findings: dict[tuple[str, str, str], tuple[str, dict[str, Any]]] = {}
        self.started, self.note = screen.started, screen.note
        self.cell_started, self.cell_progress = screen.cell_started, screen.cell_progress
        self.cell_done = screen.cell_done

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        self._findings[finding["scenario"], finding["protocol"], finding["signature"]] = path, finding
        self.screen.finding(path, finding)

    def findings(self) -> list[tuple[str, dict[str, Any]]]:
        return list(self._findings.values())
