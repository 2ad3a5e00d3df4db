"""Strict replay, and the evidence that a replay brings."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import ProgramError, ReplayDiverged
from ..findings import Alarm, Finding, Result, Verdict
from ..program import Program
from ..trace import Execution, Schedule
from .controlled import Outcome, Scheduler
from .recorder import StepRecorder
from .strategies.replay import Replay
from .tally import Tally, execution_of, finding_of, results_shown

Detect = Callable[[Execution], list[Alarm]]
"""What looks at an execution for the engines, which know no detector."""


def nothing(execution: Execution) -> list[Alarm]:
    """The detector that sees nothing."""
    return []


_UNREPLAYABLE = ("stall.hang", "stall.livelock")


def replay(program: Program, schedule: Schedule, *, detect: Detect = nothing) -> Result:
    """Run ``program`` along ``schedule``, step by step; see ``modes.replay``."""
    started = time.perf_counter()
    with Scheduler(program) as scheduler:
        outcome, recorder = recorded(scheduler, schedule)
        alarms = detect(execution_of(scheduler, outcome, recorder))
    tally = Tally()
    tally.add(outcome, 1, "replay")
    tally.alarms(alarms, outcome, 1, "replay")
    findings = tuple(
        _with_evidence(finding_of(seen, "replay", 0), outcome, recorder, program)
        for seen in tally.seen.values()
    )
    verdict = Verdict.FOUND if findings else Verdict.CLEAN
    return Result(
        verdict, False, 1, time.perf_counter() - started, findings,
        1 if findings else None, len(findings),
        stats={"steps": [s.as_json() for s in recorder.steps]},
    )  # fmt: skip


def recorded(scheduler: Scheduler, schedule: Schedule) -> tuple[Outcome, StepRecorder]:
    """One strict replay with every step recorded."""
    names = {task.name for task in scheduler.tasks}
    for i, (thread, op, obj) in enumerate(schedule):
        if thread not in names:
            raise ReplayDiverged(i, (thread, op, obj), {}, schedule[max(0, i - 5) : i])
    strategy = Replay(schedule)
    scheduler.recorder = recorder = StepRecorder()
    try:
        outcome = scheduler.run(strategy, always_ask=True)
    finally:
        scheduler.recorder = None
    strategy.check_done()
    return outcome, recorder


def completed(scheduler: Scheduler, finding: Finding, detect: Detect = nothing) -> Finding:
    """``finding`` with steps, values and snapshots from one more, recorded replay.

    A program that does not do the same twice keeps what it has, and the
    evidence says so.
    """
    if finding.rule in _UNREPLAYABLE or scheduler.lost:
        return finding
    try:
        outcome, recorder = recorded(scheduler, finding.schedule)
    except (ReplayDiverged, ProgramError) as error:
        return replace(finding, evidence={**finding.evidence, "not_deterministic": str(error)})
    for alarm in detect(execution_of(scheduler, outcome, recorder)):
        if alarm.signature == finding.signature:
            evidence = {**finding.evidence, "message": alarm.message, **alarm.evidence}
            finding = replace(finding, summary=alarm.message, evidence=evidence)
    return _with_evidence(finding, outcome, recorder, scheduler.program)


def _with_evidence(finding: Finding, outcome: Outcome, recorder: StepRecorder, program: Program) -> Finding:
    evidence: dict[str, Any] = dict(finding.evidence)
    evidence["steps"] = [step.as_json() for step in recorder.steps]
    evidence["results"] = results_shown(outcome)
    if program.snapshot is not None and outcome.before is not None:
        evidence["before"] = outcome.before
        evidence["after"] = program.snapshot(outcome.state)
    return replace(finding, evidence=evidence)
