"""What a program changes unseen: the free run cannot tell, and a proof may be contradicted by it."""

from __future__ import annotations

import time

from ...program import Program
from ..garbage import leaves_nothing
from .overseer import Anyone
from .scheduler import Scheduler

_EXECUTIONS = 8


@leaves_nothing
def suspected(program: Program) -> list[str]:
    """A sentence for each place that some thread changes with no step, whoever else uses it."""
    with Scheduler(program) as scheduler:
        strategy = Anyone()
        for _ in range(_EXECUTIONS):
            scheduler.run(strategy)
        return scheduler.uses().told(scheduler.changing, True) if scheduler.changing else []


@leaves_nothing
def overlooked(program: Program, seconds: float) -> list[str]:
    """What keeps an answer about ``program`` from being whole, from a few executions under control.

    Not that a thread spins: that is in the way of a search only.
    """
    until, spins = time.perf_counter() + seconds, set()
    with Scheduler(program) as scheduler:
        strategy = Anyone()
        for _ in range(_EXECUTIONS):
            spins.add(scheduler.run(strategy).unfair)
            if scheduler.lost or scheduler.hangs or time.perf_counter() > until:
                break
    return [sentence for sentence in scheduler.unseen.sentences() if sentence not in spins]
