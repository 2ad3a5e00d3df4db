"""What detectors may look at of a finished execution.

After a crash exhaustive search lets the other threads go on, to see the steps
that could have come before it.  Those steps are real only as far as they do
not depend on the step that crashed: that part is an execution of its own, with
the crash at its end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..findings import Alarm
from ..trace import Execution, Op, Site
from .controlled import Outcome, Scheduler
from .recorder import StepRecorder
from .stuck import UNKNOWN_SITE

Log = list[tuple[Any, Op, Any]]
Detect = Callable[[Execution], list[Alarm]]
"""What looks at an execution for the engines, which know no detector."""


def nothing(execution: Execution) -> list[Alarm]:
    """The detector that sees nothing."""
    return []


def executions_of(
    scheduler: Scheduler, outcome: Outcome, recorder: StepRecorder | None = None
) -> list[Execution]:
    """The executions in ``outcome``: one, or one for each crash that others outlived."""
    log = outcome.log
    n = len(scheduler.tasks)
    sites = [] if recorder is None else [step.site for step in recorder.steps]
    if scheduler.ghost and scheduler.crashed:
        # A thread crashes in the same breath as its last step.
        ends = {event.at - 1 for event in outcome.events if event.crash}
        return [_part(log, sites, end, ends, n) for end in sorted(ends)]
    blocked = [] if scheduler.crashed else [(t, *t.blocked) for t in scheduler.tasks if t.blocked is not None]
    wanted: list[Site] = []
    if recorder is not None:
        wanted = [recorder.wanted.get(task.name, UNKNOWN_SITE) for task, _, _ in blocked]
    return [Execution(n, log, blocked, sites, wanted)]


def _part(log: Log, sites: list[Site], end: int, ends: set[int], threads: int) -> Execution:
    """The steps that depend on no crash, then step ``end``."""
    kept = [i for i in _independent(log, ends, threads) if i not in ends]
    if end >= 0:
        kept.append(end)
    return Execution(threads, [log[i] for i in kept], (), [sites[i] for i in kept] if sites else ())


def _independent(log: Log, ends: set[int], threads: int) -> list[int]:
    """The indices of the steps that do not come after any of ``ends``."""
    spoilt_threads = [False] * threads
    written: set[Any] = set()
    read: set[Any] = set()
    kept = []
    for i, (task, op, obj) in enumerate(log):
        touched = _touched(op, obj)
        if task.cpu is not None:
            touched.append(((task.cpu, ""), True))
        # A store of a crashed thread is not told from one that it would have made later.
        spoilt = spoilt_threads[task.index] or (op.drains and spoilt_threads[task.source.index])
        after = spoilt or any(key in written or (writes and key in read) for key, writes in touched)
        if not after:
            kept.append(i)
        if after or i in ends:
            spoilt_threads[task.index] = True
            for key, writes in touched:
                (written if writes else read).add(key)
    return kept


def _touched(op: Op, obj: Any) -> list[tuple[Any, bool]]:
    reads = getattr(obj, "reads", None)
    if reads is not None and not op.is_field:
        return [((o, p.field), False) for p, o in reads]
    touched = [((obj, op.field), op.conflicts)]
    lock = getattr(obj, "lock", None)
    if lock is not None and not op.is_field:
        touched.append(((lock, ""), True))
    return touched
