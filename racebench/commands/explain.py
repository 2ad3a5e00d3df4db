"""``racebench explain``: show a stored finding, run or ablation as panels."""

from __future__ import annotations

import argparse

from ..campaign.results import read_ablation, read_finding
from ..campaign.stop import Stop
from ..report.ablation import ablation_report
from ..report.finding import finding_panel
from ..report.run import document
from ..report.terminal import show, show_run
from .shared import arguments
from .shared.run_folder import read_stored
from .shared.screen import Screen

ABOUT = "show a stored finding or run"
EXAMPLE = "explain reports/example"


def declare(add: arguments.Add) -> None:
    add("stored", type=arguments.path, metavar="FINDING.json|RUN_DIR")
    add("--full", action="store_true", help="show every step of the schedule of a finding")


def act(args: argparse.Namespace, stop: Stop) -> int:
    screen = Screen()
    if not args.stored.is_dir():
        show(screen, [finding_panel(read_finding(args.stored), str(args.stored), full=args.full)])
    elif (args.stored / "ablation.json").is_file():
        show(screen, ablation_report(read_ablation(args.stored), ""))
    else:
        show_run(screen, document(read_stored(args.stored)))
    return 0
