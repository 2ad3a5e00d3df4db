"""Measure how much faster two processes prove the same cells than one process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ..records import Cell
from ..scenario.scenario import load_scenario
from ..scenario.selection import Target
from .cell import Plan
from .runner import Listener, Options, cells_for, run_campaign

_CELLS, _LONG_S = 4, 600.0
_PLAN = Plan(modes=("verify",), preemptions=1)
_SCENARIO = """\
schema = 1
title = "Three threads that keep a search busy for a moment"
source = "vgic-v2.c: vgic_v2_distr_mmio_write @ baf2950213"

[domain]
vcpus = 2
routed = [{ virq = 41, pirq = 70, enabled = true }]

[threads]
toolstack = ["route virq=40 pirq=64", "release virq=41"]
vcpu0 = ["isenabler virq=40", "icenabler virq=41"]
vcpu1 = ["icenabler virq=40", "isenabler virq=41"]

[expect]
new_vgic = []
"""


class _Times(Listener):
    """A listener that records when cells began and ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        self.times.append(time.perf_counter())

    def cell_done(self, cell: Cell) -> None:
        self.times.append(time.perf_counter())


def scaling() -> float:
    """The seconds of one process over those of two (the processes of ``--jobs 2``).

    Measured from the start of the first cell, because a process takes a moment to start.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"cell{n}.toml" for n in range(_CELLS)]
        for path in paths:
            path.write_text(_SCENARIO, encoding="utf-8")
        cells = cells_for([load_scenario(path) for path in paths])
        return _seconds(cells, 1) / _seconds(cells, 2)


def _seconds(cells: list[Target], jobs: int) -> float:
    # The listener's other methods do nothing; mypy takes empty methods for abstract ones.
    heard = _Times()  # type: ignore[abstract]
    run_campaign(cells, Options(_PLAN, _LONG_S, jobs=jobs), heard)
    return heard.times[-1] - heard.times[0]
