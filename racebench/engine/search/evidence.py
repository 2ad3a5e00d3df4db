"""Decides which part of a finished execution is real, and what detectors may look at.

A crash stops the machine.  Exhaustive search lets the other threads go on after a crash, to see the
steps that could have come before it (see ``relation``).  What then comes after the crash (after the step
with which the thread crashed) happens in no real execution.  What does not come after any crash happens
in a real execution too: the one of just the steps in its past.  So every fault keeps its own past as its
schedule, and a fault with a crash in its past is dropped.
"""

from __future__ import annotations

from collections.abc import Callable

from ...findings import Alarm
from ...trace import Execution, Site
from ..control.recorder import StepRecorder
from ..control.scheduler import Outcome, Scheduler
from ..instrument import show
from ..stuck import UNKNOWN_SITE, Fault
from ..tally import Tally
from .races import PartialOrder

Detect = Callable[[Execution], list[Alarm]]
"""Looks at an execution for the engines, which know no detector."""


def nothing(execution: Execution) -> list[Alarm]:
    """Detect nothing."""
    return []


def real(outcome: Outcome, partial_order: PartialOrder) -> Outcome:
    """Return ``outcome`` of an execution that went on after a crash, without what no real execution shows."""
    crashes = {
        _last(outcome, fault.by[0], fault.at, partial_order) for fault in outcome.faults if fault.crash
    }
    at_start = [
        fault for fault in outcome.faults if fault.crash and not _pasts(outcome, fault, partial_order)
    ]
    spoilt = sum(1 << i for i in crashes if i >= 0)
    kept, parts = [], []
    for n, fault in enumerate(outcome.faults):
        if not fault.by:
            if fault.rule == "stall.hang":
                kept.append(fault)
            continue
        past = _pasts(outcome, fault, partial_order)
        # The step of its own crash is in a crash's past; and in that of what the thread
        # said after the same step, before it crashed.
        last = _last(outcome, fault.by[0], fault.at, partial_order)
        ends = fault.crash or any(
            later.crash and later.by == fault.by and later.at == fault.at for later in outcome.faults[n + 1 :]
        )
        own = 1 << last if ends and past else 0
        if at_start:
            # Threads crash before they make a step: nothing comes before such a crash.
            if fault.crash and not past:
                fault.past = ()
                kept.append(fault)
        elif not past & spoilt & ~own:
            fault.past = tuple(i for i in range(len(outcome.log)) if past >> i & 1)
            kept.append(fault)
            if fault.crash:
                free = [i for i, before in enumerate(partial_order.before) if not before & spoilt]
                parts.append([*free, fault.past[-1]])
    outcome.faults = kept
    outcome.parts = parts
    return outcome


def _last(outcome: Outcome, proc: int, at: int, partial_order: PartialOrder) -> int:
    """Return the last step of thread ``proc`` before step ``at``; if it made none, the one that started it.

    With that step it comes to its first offer; -1 for a thread that was there from the beginning.
    """
    own = (i for i in range(at - 1, -1, -1) if outcome.log[i][0].index == proc)
    return next(own, partial_order.started(proc))


def _pasts(outcome: Outcome, fault: Fault, partial_order: PartialOrder) -> int:
    """Return as bits the steps before ``fault``: all those in the past of the threads that it is about."""
    past = 0
    for proc in fault.by:
        last = _last(outcome, proc, fault.at, partial_order)
        if last >= 0:
            past |= partial_order.before[last]
    return past


def executions_of(
    scheduler: Scheduler, outcome: Outcome, recorder: StepRecorder | None = None
) -> list[Execution]:
    """Return the executions in ``outcome``: one, or one for each crash after which other threads went on."""
    log = outcome.log
    n = len(scheduler.tasks)
    sites = [] if recorder is None else [step.site for step in recorder.steps]
    if outcome.parts is not None:
        return [Execution(n, [log[i] for i in part]) for part in outcome.parts]
    blocked = (
        [] if scheduler.floor.crashed else [(t, *t.blocked) for t in scheduler.tasks if t.blocked is not None]
    )
    wanted: list[Site] = []
    if recorder is not None:
        wanted = [recorder.wanted.get(task.name, UNKNOWN_SITE) for task, _, _ in blocked]
    return [Execution(n, log, blocked, sites, wanted)]


def look(tally: Tally, detect: Detect, scheduler: Scheduler, outcome: Outcome, after: int, by: str) -> None:
    """Let ``detect`` look at an execution, and count its alarms."""
    for execution in executions_of(scheduler, outcome):
        for alarm in detect(execution):
            tally.alarm(alarm, execution.steps, after, by)


def shown(scheduler: Scheduler, outcome: Outcome, detect: Detect) -> Tally:
    """Return what one execution shows."""
    tally = Tally()
    tally.add(outcome, 1, "replay")
    look(tally, detect, scheduler, outcome, 1, "replay")
    return tally


def results_shown(outcome: Outcome) -> dict[str, str]:
    """Return each thread's result as text, for a report."""
    return {name: show(value) for name, value in outcome.results.items()}
