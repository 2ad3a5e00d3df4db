"""``racebench ablate``: which lock acquisitions of a protocol are needed."""

from __future__ import annotations

import argparse

from rich.text import Text

from ..campaign import ablation, store
from ..campaign.budget import allowed_s
from ..campaign.child import Call
from ..campaign.pool import Pool
from ..campaign.stop import Stop
from ..records import SCHEMA
from ..report.ablation import ablation_report, against
from ..report.terminal import show
from ..scenario.lineage import lineages
from ..scenario.selection import load_protocol, select
from .shared import arguments
from .shared.output import new_folder
from .shared.screen import Output

ABOUT = "show which lock acquisitions a protocol needs, and what breaks without each"
EXAMPLE = "ablate baseline"


def declare(add: arguments.Add) -> None:
    arguments.protocol(add)
    arguments.scenarios(add, "@pairs")
    arguments.time(add, 600.0, "time budget for everything (default: 10m)")
    arguments.against(add)
    arguments.stored(add, "folder for the findings")
    arguments.json(add, "the answers")
    arguments.quiet(add)
    arguments.full(add)


def act(args: argparse.Namespace, stop: Stop) -> int:
    choice, scenarios = load_protocol(args.protocol), select(args.scenario or ["@pairs"])
    choices = [choice]
    if args.against is not None:
        [held] = lineages([args.protocol], args.against)
        choices.append(held.parent)
    folder = store.RunFolder(args.out or new_folder("ablate"))
    output = Output(args.json, quiet=args.quiet)
    seconds, places = args.time / len(choices), [(s.name, str(s.path)) for s in scenarios]
    with Pool(1, stop) as pool, output.progress.status("") as status:
        found = [
            pool.call(
                Call(ablation.in_child, (one.spec, places, seconds)),
                lambda word, text: status.update(Text(text)),
                allowed_s(seconds),
            )
            for one in choices
        ]
    reports = [
        ablation.as_json(one, lambda finding: str(folder.path / folder.add_finding(finding))) for one in found
    ]
    value = {"schema": SCHEMA, **reports[0]}
    if args.against is not None:
        value["against"] = against(*reports)
    store.write_json(folder.path / "ablation.json", value)
    output.json(value)
    show(output.answer, ablation_report(value, str(folder.path), full=args.full))
    if any(one.interrupted for one in found):
        return 130
    if args.against is not None:
        return 1 if value["against"]["regression"] else 0
    return 1 if any(answer.verdict == ablation.OPEN for answer in found[0].answers) else 0
