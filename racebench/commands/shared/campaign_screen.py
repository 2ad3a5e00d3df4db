"""Show a campaign in the terminal."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.text import Text

from ...records import Run
from ...report.annotations import github_lines, wanted
from ...report.facts import cell_name
from ...report.progress import PlainLines, Quiet
from ...report.run import document
from ...report.terminal import show_run
from ...report.text import counted
from .output import complain
from .run_folder import read_stored
from .screen import Output, Screen, fancy


class CampaignScreen:
    """``progress`` shows the messages, ``conclude`` the result."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._output = Output(args.json)
        self.progress = _progress(self._output.progress, args.quiet)

    def conclude(self, run: Run, out: Path | None) -> int:
        """Show the result of ``run``, which is stored in ``out``, and return the exit status."""
        args, output = self._args, self._output
        output.json(run.to_json())
        if out is not None:
            # Read the stored run, so that this shows the same as `explain`.
            stored = read_stored(out)
            shown = document(stored.surprising() if args.quiet and args.full else stored)
            show_run(output.answer, shown, full=args.full)
            if wanted(os.environ):
                for line in github_lines(stored):
                    output.progress.print(Text(line), soft_wrap=True)
        return _status(run)


def _status(run: Run) -> int:
    """Return the exit status of ``run``; print what went wrong in which cells."""
    wrong = [cell for cell in run.cells if cell.error]
    for error in sorted({cell.error for cell in wrong}):
        names = [cell_name(cell) for cell in wrong if cell.error == error]
        others = f" and {counted(len(names) - 1, 'more cell')}" if len(names) > 1 else ""
        complain(f"{names[0]}{others}: {error}")
    faults = [cell for cell in wrong if not cell.lost]
    if run.interrupted:
        return 130
    if any(cell.failed for cell in faults):
        complain("Please report it, with the traceback that RACEBENCH_DEBUG=1 shows.")
        return 3
    if faults:
        return 2
    if run.against:
        return 1 if any(one["regression"] for one in run.against) else 0
    return 0 if all(cell.verdict == "as_expected" for cell in run.cells) else 1


def _progress(screen: Screen, quiet: bool) -> Quiet:
    if quiet or not fancy(screen):
        return Quiet(screen) if quiet else PlainLines(screen)
    # Imported only for a live display, because it loads more of rich.
    from ...report.live_screen import LiveScreen

    return LiveScreen(screen)
