"""A short search that only says what it met: no shrinking, no replay, no evidence."""

from __future__ import annotations

from ...program import Program
from ..control.scheduler import Scheduler
from ..garbage import leaves_nothing
from ..strategies.portfolio import Portfolio
from ..tally import Tally
from .loop import Loop, Plan
from .walk import Walk

_NOTHING_NEW = 40


@leaves_nothing
def glance(program: Program, plan: Plan, wanted: str = "") -> Tally:
    """What the executions of ``plan`` broke, and what operations returned in them.

    Ends early once 40 executions in a row were of classes seen before, or
    ``wanted`` was met.
    """
    with Scheduler(program, looks=False) as scheduler:
        walk = Walk(scheduler, Portfolio(plan.seed, len(scheduler.tasks)))
        loop = Loop(
            plan,
            # Not worth waiting for a thread that hangs.
            lambda tally: bool(
                walk.stale >= _NOTHING_NEW or wanted in tally.seen or scheduler.lost or scheduler.floor.hangs
            ),
        )
        loop.run(scheduler, walk)
    return loop.tally
