"""``racebench compare``: what two stored runs say differently."""

from __future__ import annotations

import argparse

from ..campaign.stop import Stop
from ..errors import UsageError
from ..report.compare import compare
from ..report.comparison import comparison
from ..report.terminal import show
from .shared import arguments
from .shared.output import Output
from .shared.stored import read_stored

ABOUT = "tell what two stored runs say differently; 1 if the new one is worse"
EXAMPLE = "compare reports/example reports/example"


def declare(add: arguments.Add) -> None:
    add("base", type=arguments.path, metavar="BASE_RUN")
    add("new", type=arguments.path, metavar="NEW_RUN")
    arguments.json(add, "what differs")


def act(args: argparse.Namespace, stop: Stop) -> int:
    base, new = read_stored(args.base, beside=False), read_stored(args.new, beside=False)
    compared = compare(base, new)
    if not compared["cells"]["both"]:
        raise UsageError(
            f"{args.base} and {args.new} have no cell in common. Compare runs of the same cells."
        )
    output = Output(args.json)
    output.json(compared)
    show(output.answer, list(comparison(compared, str(args.base), str(args.new))))
    return 1 if compared["regression"] else 0
