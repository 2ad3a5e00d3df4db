"""Searches every schedule, and knows at any moment what is proved so far.

The reduced search covers one execution of each equivalence class and ends first on any program of
ordinary size.  A program that outlasts ``_ALONE`` executions is also searched with 0, 1, 2, ...
preemptions, in alternation, so that a budget that ends too early leaves a bounded proof.  Before that a
sweep looks for faults that a single early choice shows: both searches would reach such a choice last.
Turns are counted in executions, never in seconds: the same budget does the same work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..control.scheduler import Outcome, Scheduler
from ..tally import schedule_of
from .dpor import Search
from .evidence import results_shown
from .ordering import ordered
from .preemption_bound import Ladder, Sweep

_ALONE = 2_000
_SWEPT = 2_000
_TURN = 500
_FEW, _AGAIN = 20, 4
_TRACED, _MOST_TRACED = 500, 1_000


class Proof:
    """Every schedule of a program, or with ``preemptions`` all that have at most so many."""

    mode = "verify"
    by = "exhaustive"

    def __init__(self, scheduler: Scheduler, preemptions: int | None = None) -> None:
        self.scheduler, self.preemptions = scheduler, preemptions
        self.search = Search(scheduler)
        self.ladder = Ladder(scheduler, preemptions)
        self.sweep = Sweep(scheduler, _SWEPT)
        self.complete = False
        self.restarts = 0
        self._now: Search | Sweep | Ladder = self.search if preemptions is None else self.ladder
        self._left = _ALONE
        self._outcome: Outcome | None = None

    @property
    def executions(self) -> int:
        """All that were run; once the reduced search is complete, only its own: one per class."""
        others = self.sweep.executions + self.ladder.executions
        return self.search.executions + (0 if self.search.complete else others)

    def execute(self) -> Outcome | None:
        self._outcome = self._now.execute()
        if not (self.sweep.executions or self.ladder.executions):
            # The executions of the others are not run again, so from then on nothing is discarded.
            self.restarts = self.search.restarts
        return self._outcome

    def advance(self) -> bool:
        if self._outcome is not None and self._endless(self._outcome):
            return False
        now = self._now
        if isinstance(now, Sweep):
            if not now.advance():
                self._now, self._left = self.ladder, _TURN
            return True
        if not now.advance():
            self.complete = now.complete and not self._polls()
            return False
        if now is self.search:
            self.search.look_ahead()
        self._left -= 1
        if self.preemptions is None and not self._left:
            if now is self.ladder:
                self._now = self.search
            else:
                self._now = self.ladder if self.sweep.executions else self.sweep
            self._left = _TURN
        return True

    def _endless(self, outcome: Outcome) -> bool:
        """Return whether there are schedules without end, which no search can run."""
        stalled = any(fault.rule.startswith("stall.") for fault in outcome.faults)
        return bool(self.scheduler.lost or self.scheduler.floor.hangs or outcome.unfair or stalled)

    def _polls(self) -> bool:
        """Report a daemon that was stopped from going on for ever; return whether there is one."""
        program, endless = self.scheduler.program, self.scheduler.floor.endless
        if endless:
            self.scheduler.blind_spots.say(
                f"{program.name}: the daemon {endless} sleeps or waits again and again, and of that only one "
                "round after all others have ended is searched"
            )
        return bool(endless)

    def novel(self, outcome: Outcome) -> bool:
        """Return True: in the reduced search each is new; in a bounded one it is not worth finding out."""
        return True

    def brought(self, found: bool, new: bool) -> None:
        """Do nothing: every schedule is run, whatever it shows."""

    def over(self, found: bool) -> None:
        """Check whether unseen changes are ordered by the steps, and whether the program is deterministic.

        The second is checked for a proof of few executions, which cannot have noticed it.
        """
        if not self.complete or found:
            return
        if self.executions <= _TRACED:
            self.scheduler.lookout.ordered = ordered(self.scheduler, self.search.relation, _MOST_TRACED)
        if self.executions > _FEW:
            return
        met = set()
        # If this is interrupted, there is no proof.
        self.complete = False
        for _ in range(_AGAIN):
            outcome = Search(self.scheduler, self.search.relation).execute()
            if outcome is not None:
                results = str(sorted(results_shown(outcome).items()))
                met.add((schedule_of(outcome.log), results, outcome.broken))
        self.complete = True
        if len(met) > 1:
            self.scheduler.blind_spots.say(
                f"{self.scheduler.program.name} does not do the same twice along one schedule: verify needs "
                "a program that depends on the schedule alone"
            )

    # -- what is proved

    @property
    def bounded(self) -> bool:
        """Whether all that was asked for was covered, if that was not everything."""
        ended = not self.scheduler.floor.endless
        return ended and self.preemptions is not None and self.ladder.proved == self.preemptions

    @property
    def clean(self) -> bool:
        return self.complete or self.bounded

    def _done(self) -> float:
        """Return about the covered share of all schedules, 0..1."""
        if self.clean:
            return 1.0
        return self.ladder.done() if self.preemptions is not None else self.search.done()

    def note(self, seconds: float, found: bool) -> str:
        done, proved = self._done(), self.ladder.proved
        said = []
        if proved is not None:
            what = "all schedules" if found else "no fault"
            said.append(f"{what} with up to {proved} preemption{'s' * (proved != 1)}")
        scope = "all schedules" if self.preemptions is None else f"those with up to {self.preemptions}"
        if done < 1:
            said.append(f"about {done:.0%} of {scope} seen")
        if 0.001 < done < 1:
            said.append(f"about {seconds * (1 - done) / done:.0f} s left")
        return "; ".join(said)

    def stats(self, seconds: float, found: bool) -> Mapping[str, Any]:
        return {
            "preemption_bound": None if self.complete else self.ladder.proved,
            "done": self._done(),
            "proved": "every schedule" if self.complete else self.note(seconds, found),
            "redundant": self.search.redundant,
        }
