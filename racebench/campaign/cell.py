"""What is asked of a cell, a scenario under a protocol, what it tells on the way, and what comes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from .. import engine
from ..errors import described, is_ours
from ..records import Cell, FindingRecord
from ..scenario.selection import Target
from .budget import allowed_s

Seen = Mapping[str, Mapping[str, int]]
"""How often each signature was seen, by mode."""


class Plan(NamedTuple):
    """What is done with each cell; ``executions`` limits explore, None is by time alone.

    ``proof_s`` is what verify may take on top of the cell's time; None lets it use part of that.
    What these mean is in budget.py.
    """

    modes: tuple[str, ...] = ("verify", "stress")
    seed: int = 0
    preemptions: int | None = None
    strategy: str = "portfolio"
    executions: int | None = None
    proof_s: float | None = None


class Earlier(NamedTuple):
    """What an earlier, unfinished run has of a cell; a proof only if it was complete."""

    cell: Cell | None = None
    findings: tuple[FindingRecord, ...] = ()


class CellListener:
    """Hears what goes on in a cell, and does nothing about it."""

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None: ...

    def cell_so_far(self, cell: Cell, seen: Seen) -> None:
        """What a cell has come to that goes on."""

    def finding(self, record: FindingRecord) -> None:
        """A finding is new, or has more to say than when it was last told."""


class CellResult(NamedTuple):
    """What a cell has come to, and how often each signature was seen.  ``cell.partial``: it was cut off."""

    cell: Cell
    seen: Seen = {}


def failed(target: Target, error: Exception, result: CellResult | None = None) -> CellResult:
    """``result``, which ``error`` ended; the cell has ``failed`` if the fault is ours."""
    ours = is_ours(error)
    why = f"RaceBench itself failed: {described(error)}" if ours else str(error)
    if ours and os.environ.get("RACEBENCH_DEBUG") == "1":
        sys.__excepthook__(type(error), error, error.__traceback__)
    result = result or CellResult(target.cell(()))
    return result._replace(cell=replace(result.cell, error=why, failed=ours).judged())


def limit_s(plan: Plan, seconds: float) -> float | None:
    """How long a cell of ``seconds`` may tell nothing; None if its executions are counted."""
    return None if plan.executions is not None and not seconds else allowed_s(seconds)
