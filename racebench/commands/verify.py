"""``racebench verify``: search every schedule of each cell."""

from __future__ import annotations

import argparse

from ..campaign.cell import Plan
from ..campaign.quantities import natural
from ..campaign.runner import Options
from ..campaign.stop import Stop
from .shared import arguments
from .shared.campaign import campaign, chosen
from .shared.output import new_folder

ABOUT = "search every schedule, one execution per equivalence class"
EXAMPLE = "verify route_vs_isenabler --protocol baseline"


def declare(add: arguments.Add) -> None:
    arguments.cells(add)
    add("--preemptions", type=natural, metavar="N", help="only schedules with at most N preemptions")
    arguments.time(add, 60.0, "time budget shared by all cells (default: 60s)")
    arguments.against(add)
    arguments.jobs(add)


def act(args: argparse.Namespace, stop: Stop) -> int:
    cells, against = chosen(args)
    plan = Plan(("verify",), preemptions=args.preemptions)
    out = args.out or new_folder("verify")
    return campaign(args, cells, Options(plan, args.time, args.jobs, out, against=against), stop)
