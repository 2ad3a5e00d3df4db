"""Which functions of the real source a program runs."""

from __future__ import annotations

from ...program import Program
from ..control.recorder import StepRecorder
from ..control.scheduler import Scheduler
from ..delays import actors
from ..strategies.random_walk import RandomWalk

_EXECUTIONS = 4


def sources_of(program: Program) -> dict[str, str]:
    """What each function that makes a step stands for, by its name, in a few random executions."""
    recorder = StepRecorder()
    strategy = RandomWalk(0, actors(program))
    with Scheduler(program, looks=False) as scheduler:
        scheduler.recorder = recorder
        for _ in range(_EXECUTIONS):
            outcome = scheduler.run(strategy)
            strategy.end(outcome.log, False)
            if scheduler.lost or scheduler.hangs:
                break
    return recorder.sources
