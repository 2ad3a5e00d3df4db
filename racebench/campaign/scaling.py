"""Measure how much faster two processes prove the same cells than one process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ..scenario.scenario import scenario_from_text
from ..scenario.selection import Target
from .cell import Plan
from .runner import Options, cells_for, run_campaign

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


def scaling() -> float:
    """The seconds of one process over those of two (the processes of ``--jobs 2``).

    Measured from the start of the first cell, because a process takes a moment to start.
    """
    scenario = scenario_from_text(Path("bench"), _SCENARIO)
    cells = cells_for([scenario._replace(name=f"cell{n}") for n in range(_CELLS)])
    return _seconds(cells, 1) / _seconds(cells, 2)


def _seconds(cells: list[Target], jobs: int) -> float:
    times: list[float] = []

    def tell(word: str, *what: Any) -> None:
        if word in ("cell_started", "cell_done"):
            times.append(time.perf_counter())

    run_campaign(cells, Options(_PLAN, _LONG_S, jobs=jobs), tell)
    return times[-1] - times[0]
