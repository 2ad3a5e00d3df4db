"""Verification: every schedule, and at any moment what is proved so far.

The reduced search covers one execution of each equivalence class and ends
first on any program of ordinary size.  A program that outlasts ``_ALONE``
executions is also searched with 0, 1, 2, ... preemptions, turn about, so that
a budget that ends too early leaves a bounded proof.  Turns are counted in
executions, never in seconds: the same budget does the same work.
"""

from __future__ import annotations

import time
from typing import Any

from ...errors import ProgramError
from ...findings import Finding, Result, Verdict
from ...program import Program
from ..control.scheduler import MAX_STEPS, Outcome, Scheduler
from ..explain.conclusion import Ending, with_needs
from ..explain.confirmation import labelled
from ..garbage import leaves_nothing
from ..unseen import judged
from .bounded import Ladder
from .evidence import Detect, nothing
from .exploration import PROGRESS_S, Progress, ProgressCall
from .optimal import Search
from .tally import Tally, results_shown, schedule_of

_ALONE = 2_000
_TURN = 500
_FEW, _AGAIN = 20, 4


@leaves_nothing
def verify(
    program: Program,
    preemptions: int | None = None,
    seconds: float = 60,
    max_executions: int | None = None,
    *,
    progress: ProgressCall | None = None,
    max_steps: int = MAX_STEPS,
    detect: Detect = nothing,
) -> Result:
    """Run ``program`` in every schedule; see ``modes.verify``."""
    run = Verification(program, preemptions, progress, detect)
    return run.go(seconds, max_executions, max_steps)


class Verification:
    """One call of ``verify``."""

    def __init__(
        self,
        program: Program,
        preemptions: int | None,
        progress: ProgressCall | None,
        detect: Detect = nothing,
    ) -> None:
        self.program, self.preemptions = program, preemptions
        self.progress, self.detect = progress, detect
        self.tally = Tally()
        self.interrupted = self.complete = False
        self.steps = self._restarts = 0
        self._started = self._report_at = 0.0

    def go(self, seconds: float, max_executions: int | None, max_steps: int) -> Result:
        self._started = self._report_at = time.perf_counter()
        self._deadline = self._started + seconds
        self._most = max_executions
        with Scheduler(self.program, max_steps=max_steps) as scheduler:
            self.search = Search(scheduler)
            self.ladder = Ladder(scheduler, self.preemptions)
            try:
                self._loop()
            except KeyboardInterrupt:
                self.interrupted = True
            except ProgramError as error:
                error.findings = self.tally.findings("verify", 0)
                raise
            if self.complete and not self.tally.seen:
                self._run_again(scheduler)
            searched = time.perf_counter() - self._started
            end = Ending(self.interrupted, self._deadline)
            found = end.concluded(scheduler, self.tally.told(), "verify", 0, self.detect)
            found = end.better(
                found, lambda: labelled(scheduler, found, self.complete, self.executions, end.until)
            )
        findings = end.better(found, lambda: with_needs(self.program, found, self.detect, end.until))
        self.interrupted = end.interrupted
        return judged(self._result(findings, searched), scheduler.unseen.sentences())

    def _run_again(self, scheduler: Scheduler) -> None:
        """A proof of few executions has not seen whether the program does the same twice: run one again."""
        if self.executions > _FEW:
            return
        met = set()
        for _ in range(_AGAIN):
            again = Search(scheduler)
            outcome = again.execute()
            if outcome is not None:
                met.add(
                    (schedule_of(outcome.log), str(sorted(results_shown(outcome).items())), outcome.broken)
                )
        if len(met) > 1:
            scheduler.unseen.say(
                f"{self.program.name} does not do the same twice along one schedule: verify needs a program "
                "that depends on the schedule alone"
            )

    @property
    def executions(self) -> int:
        """All that were run; once the reduced search has covered everything, its own: one a class."""
        return self.search.executions + (0 if self.search.complete else self.ladder.executions)

    def _loop(self) -> None:
        if self.preemptions is not None:
            while self._run(self.ladder, _TURN):
                pass
            return
        turn = _ALONE
        while self._run(self.search, turn):
            if not self._run(self.ladder, _TURN):
                return
            turn = _TURN

    def _run(self, search: Any, turn: int) -> bool:
        """Up to ``turn`` executions of ``search``; False when all is over."""
        tally, scheduler, detect = self.tally, self.ladder.scheduler, self.detect
        for _ in range(turn):
            outcome = search.execute()
            if self.search.restarts > self._restarts and not self.ladder.executions:
                # The search has begun anew, and nothing else has found anything.
                self._restarts = self.search.restarts
                self.tally, self.steps = Tally(), 0
                tally = self.tally
            if outcome is not None:
                done = self.executions
                self.steps += len(outcome.log)
                tally.add(outcome, done, "exhaustive")
                tally.look(detect, scheduler, outcome, done, "exhaustive")
                if scheduler.lost or scheduler.hangs or stalled(outcome):
                    return False
            if not search.advance():
                self.complete = search.complete
                return False
            if not self._in_budget():
                return False
        return True

    def _in_budget(self) -> bool:
        if self._most is not None and self.executions >= self._most:
            return False
        now = time.perf_counter()
        if self.progress is not None and now >= self._report_at:
            self._report_at = now + PROGRESS_S
            seconds = now - self._started
            self.progress(Progress(self.executions, self.tally.failures, seconds, self._note(seconds)))
        return now < self._deadline

    def _done(self) -> float:
        """About the share of all schedules that is covered, 0..1."""
        if self.complete:
            return 1.0
        return self.ladder.done() if self.preemptions is not None else self.search.done()

    def _estimate(self, done: float) -> int | None:
        """About how many executions there are: of the search that ``done`` is about."""
        counted = self.search if self.preemptions is None else self.ladder
        return round(counted.executions / done) if done else None

    def _note(self, seconds: float) -> str:
        """What is proved by now, in words."""
        done = self._done()
        proved = self.ladder.proved
        if proved is not None and proved == self.preemptions:
            done = 1.0
        said = []
        if proved is not None:
            what = "all schedules" if self.tally.seen else "no fault"
            said.append(f"{what} with up to {proved} preemption{'s' * (proved != 1)}")
        scope = "all schedules" if self.preemptions is None else f"those with up to {self.preemptions}"
        if done < 1:
            said.append(f"about {done:.0%} of {scope} seen")
        if 0.001 < done < 1:
            said.append(f"about {seconds * (1 - done) / done:.0f} s left")
        return "; ".join(said)

    def _result(self, findings: tuple[Finding, ...], seconds: float) -> Result:
        ladder = self.ladder
        bounded = self.preemptions is not None and ladder.proved == self.preemptions
        verdict = Verdict.UNKNOWN
        if findings:
            verdict = Verdict.FOUND
        elif self.complete or bounded:
            verdict = Verdict.CLEAN
        done = 1.0 if bounded else self._done()
        executions = self.executions
        stats = {
            "preemption_bound": None if self.complete else ladder.proved,
            "done": done,
            "estimate": executions if self.complete or bounded else self._estimate(done),
            "proved": self._note(seconds) if not self.complete else "every schedule",
            "steps": self.steps,
            "redundant": self.search.redundant,
            "guarded": dict(self.tally.guarded),
        }
        result = Result(
            verdict, self.complete, executions, seconds, findings, self.tally.first_finding,
            self.tally.failures, interrupted=self.interrupted, stats=stats,
        )  # fmt: skip
        return result


def stalled(outcome: Outcome) -> bool:
    """Whether there are schedules without end, which no search can run."""
    return bool(outcome.unfair) or any(event.rule.startswith("stall.") for event in outcome.events)
