"""``racebench bench``: measure this machine."""

from __future__ import annotations

import argparse

from rich.text import Text

from ..campaign import bench
from ..campaign.stop import Stop
from ..report.listing import bench_busy, bench_table
from ..report.terminal import show
from .shared import arguments
from .shared.screen import Output

ABOUT = "measure what this machine can do"
EXAMPLE = "bench --json bench.json"


def declare(add: arguments.Add) -> None:
    arguments.json(add, "the figures")


def act(args: argparse.Namespace, stop: Stop) -> int:
    output = Output(args.json)
    with stop.interruptible():
        measured = bench.measure(lambda what: output.progress.print(Text(f"measuring: {what}", style="dim")))
    figures = measured.figures()
    output.json(figures)
    spreads = {key: measured.spread(key) for key in figures}
    show(output.answer, [bench_table(figures, spreads, measured.bars()), bench_busy(measured.busy)])
    return 0
