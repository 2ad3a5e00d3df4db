"""``racebench run``: verify and hammer each cell."""

from __future__ import annotations

import argparse

from ..campaign.cell import Plan
from ..campaign.quantities import natural
from ..campaign.results import read_journal
from ..campaign.resume import planned
from ..campaign.runner import Options
from ..campaign.stop import Stop
from ..errors import UsageError
from ..report.regressions import lineages
from .shared import arguments
from .shared.campaign import campaign, chosen
from .shared.output import new_folder
from .shared.settings import settings

ABOUT = "hammer scenarios on real threads, search every schedule, store what is found"
EXAMPLE = "run route_vs_route --protocol baseline no_rank_lock --time 10s"
RUN_S = 30.0


def declare(add: arguments.Add) -> None:
    arguments.cells(add)
    arguments.time(add, None, "time budget shared by all cells (default: 30s)")
    add("--only", choices=("stress", "verify"), help="run only one of the two modes")
    arguments.against(add)
    arguments.jobs(add)
    add("--seed", type=natural, metavar="N", help="seed for noise and search (default: 0)")
    add("--resume", type=arguments.path, metavar="DIR", help="resume the run in DIR")


def act(args: argparse.Namespace, stop: Stop) -> int:
    plan = Plan((args.only,) if args.only else ("verify", "stress"), args.seed or 0)
    if args.resume is None:
        cells, against = chosen(args)
        out = args.out or new_folder("run")
        options = Options(plan, args.time or settings().time or RUN_S, args.jobs, out, against=against)
        return campaign(args, cells, options, stop)
    if args.out is not None:
        raise UsageError("--out and --resume exclude each other. Give one.")
    journal = read_journal(args.resume)
    if args.scenario or args.protocol:
        (cells, against), seconds = chosen(args), RUN_S
    else:
        cells, before, seconds = planned(journal.plan, args.resume)
        against = lineages((journal.plan or {}).get("against"))
        plan = plan if args.only or args.seed is not None else before
    options = Options(plan, args.time or seconds, args.jobs, args.resume, True, against)
    return campaign(args, cells, options, stop)
