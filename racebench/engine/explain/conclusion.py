"""From a counted signature to a convincing finding: shrunk, replayed, compared, explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

from ...errors import ProgramError, ReplayDiverged
from ...findings import Finding
from ...findings.rules import is_benign
from ...program import Program
from ..control.scheduler import Scheduler
from ..search.evidence import Detect, shown
from ..search.glance import shows
from ..search.loop import Plan
from ..tally import Seen
from .replay import Replay, completed, recorded
from .shrinking import SECONDS, Shrinker, nearest_passing
from .trials import Trials

REPLAYS = 10
_NEEDS_EXECUTIONS = 200
_UNSHRINKABLE = "stall."

T = TypeVar("T")


class Ending:
    """The work on findings after a search; an interrupt ends it, and no finding is lost.

    It has the rest of the search's time, ``until``, and at least a few seconds,
    shared out among the findings.  When that is over, each finding still gets
    its evidence, which takes a few executions; after an interrupt not even
    that.  ``interrupted`` says whether someone ended the search, or this work.
    """

    def __init__(self, interrupted: bool, until: float = 0.0) -> None:
        self.interrupted = interrupted
        least = perf_counter() + SECONDS
        self.until = least if interrupted else max(until, least)

    def better(self, as_it_is: T, better: Callable[[], T]) -> T:
        """The result of ``better``, or ``as_it_is`` if the work was ended or the program cannot be run so."""
        if self.interrupted and perf_counter() >= self.until:
            return as_it_is
        try:
            return better()
        except KeyboardInterrupt:
            self.interrupted, self.until = True, 0.0
        except ProgramError:
            pass
        return as_it_is

    def concluded(
        self, scheduler: Scheduler, all_seen: Sequence[Seen], mode: str, plan: Plan
    ) -> tuple[Finding, ...]:
        """A finding for each of ``all_seen``, with the shortest schedule and its evidence."""
        found, trials = [], Trials(scheduler, plan.detect)
        for n, seen in enumerate(all_seen):
            # One share more than there are findings, for the work that follows.
            shares = len(all_seen) - n + 1
            now = perf_counter()
            until = now + max(0.0, self.until - now) / shares
            finding = seen.finding(mode, plan.seed)
            explained = partial(concluded, trials, seen, finding, plan.detect, until)
            finding = self.better(finding, explained)
            if len(seen.by) > 1:
                finding = replace(finding, evidence={**finding.evidence, "strategies": dict(seen.by)})
            found.append(finding)
        return tuple(found)


def concluded(trials: Trials, seen: Seen, finding: Finding, detect: Detect, until: float) -> Finding:
    """Complete ``finding`` of ``seen``: its evidence, and the shortest schedule found before ``until``.

    If the program does not do the same twice, the finding stays as it is, and the
    evidence says so.
    """
    scheduler = trials.scheduler
    if not scheduler.fit or seen.rule.startswith(_UNSHRINKABLE):
        return finding
    try:
        shrunk = Shrinker(trials, seen, until).go()
    except ProgramError:
        shrunk = None
    if shrunk is not None:
        evidence = {**shrunk.evidence, "preemptions": shrunk.preemptions, "fewest": shrunk.fewest}
        finding = replace(finding, schedule=shrunk.schedule, summary=shrunk.summary, evidence=evidence)
    finding = completed(scheduler, finding, detect)
    if "not_deterministic" in finding.evidence:
        return finding
    evidence = {**finding.evidence, "replays": _replays(scheduler, finding, detect)}
    if not seen.alarm and not is_benign(seen.rule):
        passing = nearest_passing(scheduler, finding.schedule, until)
        if passing is not None:
            evidence["passing"] = {**passing, "rest": _rest(scheduler, passing)}
    return replace(finding, evidence=evidence)


def _rest(scheduler: Scheduler, passing: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The recorded steps of a passing schedule from where it differs; none if the replay fails.

    Without their lines of code: the place of each is enough here.
    """
    try:
        _, recorder = recorded(scheduler, tuple((thread, op, obj) for thread, op, obj in passing["schedule"]))
    except (ReplayDiverged, ProgramError):
        return []
    steps = [step.as_json() for step in recorder.steps[passing["at"] :]]
    return [{key: value for key, value in step.items() if key != "code"} for step in steps]


def _replays(scheduler: Scheduler, finding: Finding, detect: Detect) -> list[int]:
    """[how many strict replays showed the same signature, number of replays]."""
    same = tried = 0
    while tried < REPLAYS and scheduler.fit:
        tried += 1
        strategy = Replay(finding.schedule)
        try:
            outcome = scheduler.run(strategy, always_ask=True)
            strategy.check_done()
        except (ReplayDiverged, ProgramError):
            continue
        same += finding.signature in shown(scheduler, outcome, detect).seen
    return [same, tried]


def with_needs(
    program: Program, findings: tuple[Finding, ...], detect: Detect, until: float
) -> tuple[Finding, ...]:
    """Add to each of ``findings`` the fewest threads and operations that still show it.

    Not to be called during a run: each smaller program gets a run of its own.
    If a thread hangs, nothing is tried, because a smaller program would hang as well.
    After ``until`` no more programs are tried, and a finding stays as it is.
    """
    if any(finding.rule == "stall.hang" for finding in findings):
        return findings
    return tuple(_with_needs(program, finding, detect, until) for finding in findings)


def _with_needs(program: Program, finding: Finding, detect: Detect, until: float) -> Finding:
    if finding.rule.startswith(_UNSHRINKABLE) or not finding.schedule:
        return finding
    if program.smaller is None:
        # The check and the threads of a user's program may need each other: run no smaller program.
        names = {thread for thread, _, _ in finding.schedule}
        names |= {thread for name, (thread, _) in program.interrupts.items() if name in names}
        needs: dict[str, Any] = {name: [] for name in program.actors if name in names}
        return _needing(finding, needs) if len(needs) < len(program.actors) else finding
    smaller = program
    while (less := _less(smaller, finding.signature, detect, until)) is not None:
        smaller = less
    if smaller is program:
        return finding
    return _needing(finding, {name: list(smaller.parts.get(name, ())) for name in smaller.threads})


def _less(program: Program, signature: str, detect: Detect, until: float) -> Program | None:
    """A smaller program that still shows ``signature``; None if none does, or none is found in time."""
    for candidate in program.smaller() if program.smaller is not None else ():
        left = until - perf_counter()
        if left <= 0:
            return None
        if shows(candidate, signature, Plan(_NEEDS_EXECUTIONS, left, detect=detect)):
            return candidate
    return None


def _needing(finding: Finding, needs: dict[str, Any]) -> Finding:
    return replace(finding, evidence={**finding.evidence, "needs": needs})
