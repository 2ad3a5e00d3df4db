"""``racebench explore``: run a number of schedules of each cell, chosen by a strategy."""

from __future__ import annotations

import argparse

from ..campaign.cell import Plan
from ..campaign.quantities import positive
from ..campaign.runner import Options, cells_for
from ..campaign.stop import Stop
from ..engine.strategies import STRATEGIES
from ..scenario.selection import select
from .shared import arguments
from .shared.campaign import campaign
from .shared.output import new_folder

ABOUT = "run scenarios one thread at a time, under a strategy"
_EXECUTIONS = 10_000
EXAMPLE = "explore route_vs_route --protocol no_rank_lock --strategy pct --executions 1000"


def declare(add: arguments.Add) -> None:
    arguments.cells(add)
    add("--strategy", choices=sorted(STRATEGIES), default="portfolio", help="(default: portfolio)")
    add(
        "--executions",
        type=positive,
        metavar="N",
        help="executions per cell (default: 10000, or as many as --time allows)",
    )
    arguments.time(add, None, "time budget shared by all cells")
    arguments.seed(add, "the strategy")


def act(args: argparse.Namespace, stop: Stop) -> int:
    cells = cells_for(select(args.scenario), args.protocol)
    executions = args.executions or (None if args.time else _EXECUTIONS)
    plan = Plan(("explore",), args.seed, strategy=args.strategy, executions=executions)
    return campaign(args, cells, Options(plan, args.time or 0.0, 1, args.out or new_folder("explore")), stop)
