"""``racebench compare``: the differences between two stored runs."""

from __future__ import annotations

import argparse

from ..campaign.stop import Stop
from ..errors import UsageError
from ..records import SCHEMA
from ..report.comparison import comparison
from ..report.differences import compare
from ..report.regressions import against, lineages, sections
from ..report.stored_run import Stored
from ..report.terminal import show
from .shared import arguments
from .shared.run_folder import read_stored
from .shared.screen import Output

ABOUT = "compare two stored runs; exits with 1 if the new one is worse"
EXAMPLE = "compare reports/example reports/example"


def declare(add: arguments.Add) -> None:
    add("base", type=arguments.path, metavar="BASE_RUN")
    add("new", type=arguments.path, metavar="NEW_RUN")
    about = "compare the protocols of NEW_RUN with this one in BASE_RUN, which may be the same run"
    add("--against", metavar="PROTOCOL", help=about)
    arguments.json(add, "what differs")


def act(args: argparse.Namespace, stop: Stop) -> int:
    base, new = read_stored(args.base, beside=False), read_stored(args.new, beside=False)
    if args.against is not None:
        return _between(args, base, new)
    compared = compare(base, new)
    if not compared["cells"]["both"]:
        raise UsageError(
            f"{args.base} and {args.new} have no cell in common. Compare runs of the same cells."
        )
    output = Output(args.json)
    output.json(compared)
    show(output.answer, list(comparison(compared, str(args.base), str(args.new))))
    return 1 if compared["regression"] else 0


def _between(args: argparse.Namespace, base: Stored, new: Stored) -> int:
    """Compare protocols with one parent; renamed functions are known if the new run had --against."""
    parent = args.against.replace("-", "_")
    protocols = dict.fromkeys(cell.protocol for cell in new.run.cells if cell.protocol != parent)
    renamed = {one["protocol"]: one for one in lineages(new.run.options.get("against"))}
    there = {cell.scenario for cell in base.run.cells if cell.protocol == parent}
    shared: set[str] = set()
    regressions = []
    for protocol in protocols:
        lineage = {"own": [], "replaced": [], **renamed.get(protocol, {}), "protocol": protocol}
        sides = ((side.run.cells, side.findings, side.run.options) for side in (new, base))
        regressions.append(against({**lineage, "parent": parent}, *sides))
        shared = shared or there & {cell.scenario for cell in new.run.cells if cell.protocol == protocol}
    if not shared:
        raise UsageError(
            f"no scenario ran under {parent} in {args.base} and under another one in {args.new}."
        )
    regression = any(one["regression"] for one in regressions)
    output = Output(args.json)
    output.json({"schema": SCHEMA, "regression": regression, "against": regressions})
    show(output.answer, list(sections(regressions)))
    return 1 if regression else 0
