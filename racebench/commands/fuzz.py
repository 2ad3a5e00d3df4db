"""``racebench fuzz``: random small scenarios under one protocol."""

from __future__ import annotations

import argparse

from ..campaign import fuzz
from ..campaign.budget import allowed_s
from ..campaign.child import Call
from ..campaign.pool import Pool
from ..campaign.stop import Stop
from ..report.fuzzing import fuzz_report
from ..report.live_screen import FuzzScreen
from ..report.terminal import show
from ..scenario.selection import load_protocol
from ..vgic.drawing import STATES
from .shared import arguments
from .shared.output import new_folder
from .shared.screen import Output, fancy

ABOUT = "run random small scenarios and keep what no bundled one shows; exits with 1 if it finds any"
EXAMPLE = "fuzz baseline --time 60s"


def declare(add: arguments.Add) -> None:
    arguments.protocol(add)
    arguments.time(add, 60.0, "time budget (default: 60s)")
    arguments.seed(add, "the drawing")
    add("--state", choices=STATES, help="the domain's state (default: random too)")
    arguments.stored(add, "folder for what is new")
    arguments.json(add, "the run object")
    arguments.quiet(add)
    arguments.full(add)


def act(args: argparse.Namespace, stop: Stop) -> int:
    choice = load_protocol(args.protocol)
    assignment = fuzz.Assignment(choice.spec, args.time, args.seed, args.state)
    out = args.out or new_folder("fuzz")
    output = Output(args.json, quiet=args.quiet)
    with (
        Pool(1, stop) as pool,
        FuzzScreen(output.progress, args.time, fancy(output.progress)) as shown,
    ):
        record, new = pool.call(
            Call(fuzz.in_child, (assignment, out)),
            lambda word, *what: getattr(shown, word)(*what),
            allowed_s(args.time),
        )
    run = record.to_json()
    output.json(run)
    show(output.answer, fuzz_report(run, str(out), choice.spec, full=args.full))
    if record.interrupted:
        return 130
    return 1 if new else 0
