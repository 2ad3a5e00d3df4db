"""What a program changes unseen, when a proof and a finding contradict one another."""

from __future__ import annotations

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
