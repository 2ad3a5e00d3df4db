"""A short search that only says what it met: no shrinking, no replay, no evidence."""

from __future__ import annotations

import time

from ...program import Program
from ..control.scheduler import Scheduler
from ..delays import actors
from ..garbage import leaves_nothing
from ..strategies.portfolio import Portfolio
from .classes import Classes
from .evidence import Detect, nothing
from .tally import Seen, Tally

_NOTHING_NEW = 40


@leaves_nothing
def glance(
    program: Program,
    executions: int,
    seed: int = 0,
    *,
    detect: Detect = nothing,
    wanted: str = "",
    until: float = float("inf"),
) -> dict[str, Seen]:
    """What at most ``executions`` executions broke, by signature.

    Ends early once 40 executions in a row were of classes seen before,
    ``wanted`` was met, or ``perf_counter`` says ``until``.
    """
    strategy, tally = Portfolio(seed, actors(program)), Tally()
    classes = Classes(actors(program))
    stale = 0
    with Scheduler(program, looks=False) as scheduler:
        for n in range(1, executions + 1):
            outcome = scheduler.run(strategy)
            found = bool(outcome.events or outcome.broken)
            strategy.end(outcome.log, found)
            new = classes.new(outcome.log)
            if found:
                tally.add(outcome, n, strategy.NAME)
            if new:
                tally.look(detect, scheduler, outcome, n, strategy.NAME)
            strategy.reward(new)
            stale = 0 if new else stale + 1
            if stale >= _NOTHING_NEW or wanted in tally.seen or scheduler.lost or scheduler.hangs:
                break
            if time.perf_counter() >= until:
                break
    return tally.seen
