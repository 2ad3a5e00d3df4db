"""Which functions of the real source a program runs."""

from __future__ import annotations

from ...program import Program
from ..control.recorder import StepRecorder
from ..control.scheduler import Scheduler
from ..search.loop import Loop, Plan
from ..search.walk import Walk
from ..strategies.random import RandomWalk

_EXECUTIONS = 4


def sources_of(program: Program) -> dict[str, str]:
    """What each function that makes a step stands for, by its name, in a few random executions."""
    recorder = StepRecorder()
    with Scheduler(program, looks=False) as scheduler:
        scheduler.recorder = recorder
        Loop(Plan(_EXECUTIONS)).run(scheduler, Walk(scheduler, RandomWalk(0, len(scheduler.tasks))))
    return recorder.sources
