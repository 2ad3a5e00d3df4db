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
from ..report.ablation import ablation_report
from ..report.terminal import show
from ..scenario.selection import load_protocol, select
from .shared import arguments
from .shared.output import Output, new_folder

ABOUT = "say which lock acquisitions of a protocol are needed, and what breaks without each"
EXAMPLE = "ablate baseline"


def declare(add: arguments.Add) -> None:
    arguments.protocol(add)
    arguments.scenarios(add, "@pairs")
    arguments.time(add, 600.0, "budget of it all (default: 10m)")
    arguments.stored(add, "folder for the findings")
    arguments.json(add, "the answers")
    arguments.quiet(add)


def act(args: argparse.Namespace, stop: Stop) -> int:
    choice, scenarios = load_protocol(args.protocol), select(args.scenario or ["@pairs"])
    folder = store.RunFolder(args.out or new_folder("ablate"))
    output = Output(args.json, quiet=args.quiet)
    call = Call(ablation.in_child, (choice.spec, [(s.name, str(s.path)) for s in scenarios], args.time))
    with Pool(1, stop) as pool, output.progress.status("") as status:
        found = pool.call(
            call,
            lambda word, text: status.update(Text(f"{choice.id}: {text}")),
            allowed_s(args.time),
        )
    value = ablation.told(found, lambda finding: str(folder.path / folder.add_finding(finding)))
    value = {"schema": SCHEMA, **value}
    store.write_json(folder.path / "ablation.json", value)
    output.json(value)
    show(output.answer, ablation_report(value))
    output.answer.print(Text(f"saved in {folder.path}", style="dim"))
    if found.interrupted:
        return 130
    return 1 if any(answer.verdict == ablation.OPEN for answer in found.answers) else 0
