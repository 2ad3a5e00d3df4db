"""``racebench fuzz``: random small scenarios under one protocol."""

from __future__ import annotations

import argparse

from rich.text import Text

from ..campaign import fuzz
from ..campaign.stop import Stop
from ..campaign.store import RunFolder
from ..report.fuzzing import fuzz_commands, fuzz_report
from ..report.live import FuzzScreen
from ..report.terminal import show
from ..scenario.selection import load_protocol
from ..vgic.drawing import STATES
from .shared import arguments
from .shared.output import Output, fancy, new_folder

ABOUT = "draw small scenarios at random and keep what no bundled one shows; 1 if there is any"
EXAMPLE = "fuzz baseline --time 60s"


def declare(add: arguments.Add) -> None:
    arguments.protocol(add)
    arguments.time(add, 60.0, "how long (default: 60s)")
    arguments.seed(add, "the drawing")
    add("--state", choices=STATES, help="the domain's state (default: drawn too)")
    arguments.stored(add, "folder for what is new")
    arguments.json(add, "the run object")
    arguments.quiet(add)


def act(args: argparse.Namespace, stop: Stop) -> int:
    choice = load_protocol(args.protocol)
    folder = RunFolder(args.out or new_folder("fuzz"))
    output = Output(args.json, quiet=args.quiet)
    with FuzzScreen(output.progress, args.time, fancy(output.progress)) as shown:
        fuzzed = fuzz.fuzz(choice, args.time, args.seed, folder, shown, stop, args.state)
    record = fuzz.run_record(fuzzed, args.time, args.state)
    folder.finish(record)
    run = record.to_json()
    output.json(run)
    show(output.answer, fuzz_report(run))
    for command in fuzz_commands(run, str(folder.path), choice.spec):
        output.answer.print(Text(command, style="bold"), soft_wrap=True)
    if fuzzed.interrupted:
        return 130
    return 1 if fuzzed.new else 0
