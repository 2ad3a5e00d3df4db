"""A campaign as the command line shows it, for the verbs that run cells."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace

from rich.text import Text

from ...campaign.runner import Options, cells_for, run_campaign
from ...campaign.stop import Stop
from ...records import Run
from ...report.against import Lineage
from ...report.annotations import github_lines, wanted
from ...report.facts import cell_name
from ...report.progress import PlainLines, Quiet
from ...report.run import document
from ...report.terminal import show_run
from ...report.text import counted
from ...scenario.lineage import lineages
from ...scenario.selection import Target, select
from .output import Output, Screen, complain, fancy
from .settings import settings
from .stored import read_stored


def chosen(args: argparse.Namespace) -> tuple[list[Target], list[Lineage]]:
    """What the cells run that the command line names, and who is held against whom in them."""
    project = settings()
    scenarios = select(args.scenario or project.paths)
    protocols = args.protocol or list(project.protocols) or None
    if args.against is None:
        return cells_for(scenarios, protocols), []
    variants = [name for scenario in scenarios for name in scenario.variants]
    held = lineages(protocols, args.against, variants)
    specs = [choice.spec for one in held for choice in (one.choice, one.parent)]
    return cells_for(scenarios, specs), [one.stored() for one in held]


def campaign(args: argparse.Namespace, targets: Sequence[Target], options: Options, stop: Stop) -> int:
    """Run ``targets``, show what comes of them, and return the exit status."""
    output = Output(args.json)
    listener = _listener(output.progress, args.quiet)
    try:
        run = run_campaign(targets, replace(options, command=args.command), listener, stop)
    finally:
        listener.close()
    output.json(run.to_json())
    if options.out is not None:
        # What is stored is what is shown, as `explain` shows it.
        stored = read_stored(options.out)
        told = document(stored.surprising() if args.quiet and args.full else stored)
        show_run(output.answer, told, full=args.full)
        if wanted(os.environ):
            for line in github_lines(stored):
                output.progress.print(Text(line), soft_wrap=True)
    return _status(run)


def _status(run: Run) -> int:
    """The exit status of ``run``; says what went wrong in which cells."""
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


def _listener(screen: Screen, quiet: bool) -> Quiet:
    if quiet or not fancy(screen):
        return Quiet(screen) if quiet else PlainLines(screen)
    # Only where something is drawn: it brings more of rich.
    from ...report.live import LiveScreen

    return LiveScreen(screen)
