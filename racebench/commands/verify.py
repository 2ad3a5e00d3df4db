"""``racebench verify``: search every schedule of each cell."""

from __future__ import annotations

import argparse

from ..campaign.cell import Plan
from ..campaign.quantities import natural
from ..campaign.runner import Options, cells_for
from ..campaign.stop import Stop
from ..scenario.selection import select
from .shared import arguments
from .shared.campaign import campaign
from .shared.output import new_folder

ABOUT = "search every schedule, one execution per equivalence class"
EXAMPLE = "verify route_vs_isenabler --protocol baseline"


def declare(add: arguments.Add) -> None:
    arguments.cells(add)
    add("--preemptions", type=natural, metavar="N", help="only schedules with at most N preemptions")
    arguments.time(add, 60.0, "budget of all cells (default: 60s)")
    arguments.jobs(add)


def act(args: argparse.Namespace, stop: Stop) -> int:
    cells = cells_for(select(args.scenario), args.protocol)
    plan = Plan(("verify",), preemptions=args.preemptions)
    return campaign(args, cells, Options(plan, args.time, args.jobs, args.out or new_folder("verify")), stop)
