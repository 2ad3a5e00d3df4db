"""Short searches that only report which signatures came: no shrinking, no replay, no evidence."""

from __future__ import annotations

from time import perf_counter

from ...program import Program
from ..control.scheduler import Scheduler
from ..garbage import leaves_nothing
from ..strategies.portfolio import Portfolio
from ..tally import Tally
from .evidence import look
from .loop import Loop, Plan, outcomes
from .proof import Proof
from .walk import Walk

_NOTHING_NEW = 40
_PROVED = 60
"""Most small programs are searched completely in this many executions, before a walk would give up."""


@leaves_nothing
def glance(program: Program, plan: Plan, wanted: str = "") -> Tally:
    """Return what the executions of ``plan`` broke, and what operations returned in them.

    Ends early once 40 executions in a row were of classes seen before, or ``wanted`` came.
    """
    with Scheduler(program, looks=False) as scheduler:
        walk = Walk(scheduler, Portfolio(plan.seed, len(scheduler.tasks)))
        loop = Loop(
            plan,
            # It is not worth waiting for a thread that hangs.
            lambda tally: bool(
                walk.stale >= _NOTHING_NEW or wanted in tally.seen or scheduler.lost or scheduler.floor.hangs
            ),
        )
        loop.run(scheduler, walk)
    return loop.tally


@leaves_nothing
def shows(program: Program, signature: str, plan: Plan) -> bool:
    """Return whether ``program`` shows ``signature``, in any schedule if they are few, else in ``plan``."""
    until = perf_counter() + (float("inf") if plan.seconds is None else plan.seconds)
    with Scheduler(program, looks=False) as scheduler:
        proof, tally = Proof(scheduler), Tally()
        for outcome in outcomes(proof, _PROVED, until):
            if outcome is not None:
                tally.add(outcome, proof.executions, proof.by)
                look(tally, plan.detect, scheduler, outcome, proof.executions, proof.by)
                if signature in tally.seen:
                    return True
        if proof.complete:
            return False
    left = until - perf_counter()
    return left > 0 and signature in glance(program, plan._replace(seconds=left), signature).seen
