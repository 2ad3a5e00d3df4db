"""A cell (a scenario under a protocol): the plan for it, the messages about it, and its result."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from ..engine.progress import Progress
from ..errors import described, is_ours
from ..records import Cell, FindingRecord
from ..scenario.selection import Target
from .budget import allowed_s

Seen = Mapping[str, Mapping[str, int]]
"""How often each signature was seen, by mode."""


class Plan(NamedTuple):
    """What is done with each cell; ``executions`` limits explore, None leaves that to the time alone.

    ``proof_s`` is what verify may take in addition to the cell's time; with None verify uses
    part of that time.  budget.py says what these mean.
    """

    modes: tuple[str, ...] = ("verify", "stress")
    seed: int = 0
    preemptions: int | None = None
    strategy: str = "portfolio"
    executions: int | None = None
    proof_s: float | None = None


class Earlier(NamedTuple):
    """What an earlier, unfinished run stored about a cell; its proof only if that was complete."""

    cell: Cell | None = None
    findings: tuple[FindingRecord, ...] = ()


class CellListener:
    """Listens to the messages about a cell; this one ignores them."""

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Progress) -> None: ...

    def cell_so_far(self, cell: Cell, seen: Seen) -> None:
        """The intermediate result of a cell that is still running."""

    def finding(self, record: FindingRecord) -> None:
        """A finding is new, or has more evidence than when it was last reported."""


class CellResult(NamedTuple):
    """The result of a cell, and how often each signature was seen.  ``cell.partial``: it was cut off."""

    cell: Cell
    seen: Seen = {}


def failed(target: Target, error: Exception, result: CellResult | None = None) -> CellResult:
    """Return ``result`` with ``error``, which ended it; the cell has ``failed`` if the fault is ours."""
    ours = is_ours(error)
    why = f"RaceBench itself failed: {described(error)}" if ours else str(error)
    if ours and os.environ.get("RACEBENCH_DEBUG") == "1":
        sys.__excepthook__(type(error), error, error.__traceback__)
    result = result or CellResult(target.cell(()))
    return result._replace(cell=replace(result.cell, error=why, failed=ours).judged())


def limit_s(plan: Plan, seconds: float) -> float | None:
    """How long a cell of ``seconds`` may send no message; None if its executions are counted."""
    return None if plan.executions is not None and not seconds else allowed_s(seconds)
