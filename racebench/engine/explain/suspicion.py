"""What a program changes unseen: the free run cannot detect it, and it may explain a contradicted proof."""

from __future__ import annotations

from ...program import Program
from ..control.fairness import InTurn
from ..control.scheduler import Scheduler
from ..garbage import leaves_nothing
from ..search.loop import outcomes
from ..search.walk import Runs

_EXECUTIONS = 8


@leaves_nothing
def suspected(program: Program) -> list[str]:
    """A sentence for each place that some thread changes without a step, whether or not others use it."""
    with Scheduler(program) as scheduler:
        for _ in outcomes(Runs(scheduler, InTurn()), _EXECUTIONS):
            pass
        lookout = scheduler.lookout
        return lookout.trace().sentences(lookout.changing, True) if lookout.changing else []


@leaves_nothing
def overlooked(program: Program) -> list[str]:
    """Sentences about what an answer about ``program`` cannot cover, from a few controlled executions.

    Without those about spinning threads: spinning only hinders a search.
    """
    with Scheduler(program) as scheduler:
        spins = {outcome.unfair for outcome in outcomes(Runs(scheduler, InTurn()), _EXECUTIONS)}
    return [sentence for sentence in scheduler.blind_spots.sentences() if sentence not in spins]
