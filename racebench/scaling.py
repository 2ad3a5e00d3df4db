"""How much more two processes do than one: one large cell, shared out by search prefix.

Measured with a bound on preemptions, so that all executions are of one kind:
without one, a helper has the dearer half of them, and a proof is done sooner
than the ratio says.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from . import engine
from .campaign import Options, cells_for, run_campaign
from .cell import Plan
from .scenario import load_scenario

_SECONDS, _FROM_S = 5.0, 1.5
_PLAN = Plan(modes=("verify",), preemptions=2)
_LARGE = """\
schema = 1
title = "Five threads that keep a search busy for minutes"
source = "vgic-v2.c: vgic_v2_distr_mmio_write @ baf2950213"

[domain]
vcpus = 4
routed = [{ virq = 41, pirq = 70, enabled = true }]

[threads]
toolstack = ["route virq=40 pirq=64", "release virq=41"]
vcpu0 = ["isenabler virq=40", "icenabler virq=41", "isenabler virq=40"]
vcpu1 = ["icenabler virq=40", "isenabler virq=41", "itargetsr virq=40 vcpu=1"]
vcpu2 = ["isenabler virq=41", "ipriorityr virq=40 priority=8", "isenabler virq=40"]
pcpu1 = ["irq pirq=70"]

[expect]
new_vgic = []
"""


class _Marks:
    """A campaign's listener that keeps how many executions there were, and when."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, int]] = []

    def started(self, cells: int, seconds: float) -> None: ...

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None:
        self.marks.append((progress.seconds, progress.executions))

    def finding(self, path: str, finding: dict[str, Any]) -> None: ...

    def cell_done(self, cell: dict[str, Any]) -> None: ...

    def note(self, text: str) -> None: ...

    def stuck(self, text: str) -> None: ...

    def per_s(self) -> float:
        """Executions a second once all processes are there."""
        marks = [mark for mark in self.marks if mark[0] >= _FROM_S]
        (begun, first), (ended, last) = marks[0], marks[-1]
        return (last - first) / (ended - begun)


def scaling() -> float:
    """Executions a second of two processes, over those of one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.toml"
        path.write_text(_LARGE, encoding="utf-8")
        cells = cells_for([load_scenario(path)])
        rates = []
        for jobs in (1, 2):
            marks = _Marks()
            run_campaign(cells, Options(_PLAN, _SECONDS, jobs=jobs), marks)
            rates.append(marks.per_s())
    return rates[1] / rates[0]
