"""From a tallied signature to a finding that convinces: shrunk, replayed, compared, explained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from ..errors import ProgramError, ReplayDiverged
from ..findings import Finding
from ..program import Program
from .controlled import Scheduler
from .evidence import Detect, nothing
from .glancing import glance
from .replaying import completed
from .shrinking import SECONDS, Shrinker, nearest_passing
from .strategies.replay import Replay
from .tally import Seen, Tally, finding_of

REPLAYS = 10
_NEEDS_EXECUTIONS = 200
_UNSHRINKABLE = "stall."

T = TypeVar("T")


class Ending:
    """The work on findings after a search, which an interrupt ends and no finding.

    After a search that was itself interrupted there is a little time for it,
    no more.  ``interrupted`` says whether someone ended either.
    """

    def __init__(self, interrupted: bool) -> None:
        self.interrupted = interrupted
        self._until = time.perf_counter() + SECONDS if interrupted else float("inf")

    def better(self, as_it_is: T, better: Callable[[], T]) -> T:
        """What ``better`` makes, or ``as_it_is`` if it is ended or the program does not bear it."""
        if time.perf_counter() >= self._until:
            return as_it_is
        try:
            return better()
        except KeyboardInterrupt:
            self.interrupted, self._until = True, 0.0
        except ProgramError:
            pass
        return as_it_is

    def concluded(
        self, scheduler: Scheduler, tally: Tally, mode: str, seed: int, detect: Detect
    ) -> tuple[Finding, ...]:
        """All that ``tally`` has seen, each with the shortest schedule and its evidence."""
        return tuple(
            self.better(
                finding_of(seen, mode, seed),
                lambda seen=seen: concluded(scheduler, seen, mode, seed, detect),  # type: ignore[misc]
            )
            for seen in tally.told()
        )


def concluded(scheduler: Scheduler, seen: Seen, mode: str, seed: int, detect: Detect = nothing) -> Finding:
    """The finding for ``seen``, with the shortest schedule and its evidence.

    A program that does not do the same twice keeps what it has, and the
    evidence says so.
    """
    finding = finding_of(seen, mode, seed)
    if not scheduler.fit or seen.rule.startswith(_UNSHRINKABLE):
        return finding
    try:
        shrunk = Shrinker(scheduler, seen, detect).go()
    except ProgramError:
        shrunk = None
    if shrunk is not None:
        evidence = {**shrunk.evidence, "preemptions": shrunk.preemptions, "fewest": shrunk.fewest}
        finding = replace(finding, schedule=shrunk.schedule, summary=shrunk.summary, evidence=evidence)
    finding = completed(scheduler, finding, detect)
    if "not_deterministic" in finding.evidence:
        return finding
    evidence = {**finding.evidence, "replays": _replays(scheduler, finding, detect)}
    if not seen.alarm:
        passing = nearest_passing(scheduler, finding.schedule)
        if passing is not None:
            evidence["passing"] = passing
    return replace(finding, evidence=evidence)


def _replays(scheduler: Scheduler, finding: Finding, detect: Detect) -> list[int]:
    """[how many strict replays showed the same signature, of how many]."""
    same = tried = 0
    while tried < REPLAYS and scheduler.fit:
        tried += 1
        strategy = Replay(finding.schedule)
        try:
            outcome = scheduler.run(strategy, always_ask=True)
            strategy.check_done()
        except (ReplayDiverged, ProgramError):
            continue
        tally = Tally()
        tally.add(outcome, 1, "replay")
        tally.look(detect, scheduler, outcome, 1, "replay")
        same += finding.signature in tally.seen
    return [same, tried]


def with_needs(
    program: Program, findings: tuple[Finding, ...], detect: Detect = nothing
) -> tuple[Finding, ...]:
    """``findings``, each with the fewest threads and operations that still show it, as evidence.

    Not to be called during a run: each smaller program gets one of its own.
    Where a thread hangs nothing is tried: a smaller program would hang as well.
    """
    if any(finding.rule == "stall.hang" for finding in findings):
        return findings
    return tuple(_with_needs(program, finding, detect) for finding in findings)


def _with_needs(program: Program, finding: Finding, detect: Detect) -> Finding:
    if finding.rule.startswith(_UNSHRINKABLE) or not finding.schedule:
        return finding
    if program.smaller is None:
        # A stranger's check and threads may not bear to be run without one another.
        names = {thread for thread, _, _ in finding.schedule}
        names |= {thread for name, (thread, _) in program.interrupts.items() if name in names}
        needs: dict[str, Any] = {name: [] for name in program.actors if name in names}
        return _needing(finding, needs) if len(needs) < len(program.actors) else finding
    smaller = program
    while True:
        for candidate in smaller.smaller() if smaller.smaller is not None else ():
            met = glance(candidate, _NEEDS_EXECUTIONS, detect=detect, wanted=finding.signature)
            if finding.signature in met:
                smaller = candidate
                break
        else:
            break
    if smaller is program:
        return finding
    return _needing(finding, {name: list(smaller.parts.get(name, ())) for name in smaller.threads})


def _needing(finding: Finding, needs: dict[str, Any]) -> Finding:
    return replace(finding, evidence={**finding.evidence, "needs": needs})
