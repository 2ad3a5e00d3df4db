"""Strict replay, and the evidence from a replay."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

from ...errors import ProgramError, ReplayDiverged, ThreadAbort
from ...findings import Finding, Result, Verdict
from ...program import Program
from ...trace import Schedule, object_name
from ..blind_spots import judged
from ..control.recorder import StepRecorder
from ..control.scheduler import Outcome, Scheduler
from ..control.task import Task
from ..garbage import leaves_nothing
from ..search.evidence import Detect, executions_of, nothing, results_shown, shown

_UNREPLAYABLE = ("stall.hang", "stall.livelock")


class Replay:
    """Picks the recorded thread if it offers the recorded operation; else ReplayDiverged.

    A recording may stop in mid-execution (a deadlock, a crash); the execution
    is then ended there.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.length = len(schedule)
        self._at = 0

    def begin(self) -> None:
        self._at = 0

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        if self._at == len(self.schedule):
            raise ThreadAbort
        thread, op, obj = self.schedule[self._at]
        for task in enabled:
            if task.name == thread:
                if task.op.kind.value == op and object_name(task.op, task.obj) == obj:
                    self._at += 1
                    return task
                break
        raise self._diverged(enabled)

    def _diverged(self, enabled: list[Task]) -> ReplayDiverged:
        at = self._at
        offers = {t.name: (t.op.kind.value, object_name(t.op, t.obj)) for t in enabled}
        expected = self.schedule[at] if at < len(self.schedule) else None
        return ReplayDiverged(at, expected, offers, self.schedule[max(0, at - 5) : at])

    def check_done(self) -> None:
        """ReplayDiverged if the execution ended before the recording did."""
        if self._at < len(self.schedule):
            raise self._diverged([])


@leaves_nothing
def replay(program: Program, schedule: Schedule, *, detect: Detect = nothing) -> Result:
    """Run ``program`` along ``schedule``, step by step; see ``modes.replay``."""
    started = perf_counter()
    with Scheduler(program) as scheduler:
        outcome, recorder = recorded(scheduler, schedule)
        findings = tuple(
            _with_evidence(finding, scheduler, outcome, recorder, detect)
            for finding in shown(scheduler, outcome, detect).findings("replay", 0)
        )
    verdict = Verdict.FOUND if findings else Verdict.CLEAN
    result = Result(
        verdict, False, 1, perf_counter() - started, findings,
        1 if findings else None, len(findings),
        stats={"steps": [s.as_json() for s in recorder.steps]},
    )  # fmt: skip
    return judged(result, scheduler.blind_spots.sentences())


def recorded(scheduler: Scheduler, schedule: Schedule) -> tuple[Outcome, StepRecorder]:
    """Make one strict replay with every step recorded."""
    names = {task.name for task in scheduler.tasks}
    for i, (thread, op, obj) in enumerate(schedule):
        # Threads started by setup or by a thread have a dot in their names.
        if thread not in names and "." not in thread:
            raise ReplayDiverged(i, (thread, op, obj), {}, schedule[max(0, i - 5) : i])
    strategy = Replay(schedule)
    scheduler.floor.recorder = recorder = StepRecorder()
    try:
        outcome = scheduler.run(strategy, always_ask=True)
    finally:
        scheduler.floor.recorder = None
    strategy.check_done()
    return outcome, recorder


def completed(scheduler: Scheduler, finding: Finding, detect: Detect = nothing) -> Finding:
    """``finding`` with steps, values and snapshots from one more, recorded replay.

    If the program does not do the same twice, the finding stays as it is, and the
    evidence says so.
    """
    if finding.rule in _UNREPLAYABLE or not scheduler.fit:
        return finding
    try:
        outcome, recorder = recorded(scheduler, finding.schedule)
    except (ReplayDiverged, ProgramError) as error:
        return replace(finding, evidence={**finding.evidence, "not_deterministic": str(error)})
    return _with_evidence(finding, scheduler, outcome, recorder, detect)


def _with_evidence(
    finding: Finding, scheduler: Scheduler, outcome: Outcome, recorder: StepRecorder, detect: Detect
) -> Finding:
    program = scheduler.program
    evidence: dict[str, Any] = dict(finding.evidence)
    # Only now are the places of steps known: run the detectors again, to get them into the text.
    for execution in executions_of(scheduler, outcome, recorder):
        for alarm in detect(execution):
            if alarm.signature == finding.signature:
                finding = replace(finding, summary=alarm.message)
                evidence.update(alarm.evidence, message=alarm.message)
    evidence["steps"] = [step.as_json() for step in recorder.steps]
    if recorder.citations.sources:
        evidence["sources"] = dict(recorder.citations.sources)
    evidence["results"] = results_shown(outcome)
    if program.snapshot is not None and outcome.before is not None:
        evidence["before"] = outcome.before
        evidence["after"] = program.pictured(outcome.state)
    return replace(finding, evidence=evidence)
