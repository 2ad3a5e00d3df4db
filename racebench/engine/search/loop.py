"""The search loop: run the next schedule, judge its result, count it, until that is enough.

All searches under control go through here.  They differ in where the next schedule comes from (a
``Source``), in what is enough, and in what the end of the schedules proves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Any, NamedTuple, Protocol, TypeVar

from .. import osthreads
from ..control.lookout import TOUCHES_NOTHING
from ..control.scheduler import Outcome, Scheduler
from ..progress import PROGRESS_S, Progress, ProgressCall
from ..tally import Tally
from .evidence import Detect, look, nothing

_FOREVER = float("inf")


class Plan(NamedTuple):
    """What a search may cost, and who is informed.

    At most ``executions`` and ``seconds``, if given, but at least ``least`` executions whatever the clock
    says; ``stop_on_first`` ends it once a rule is broken.  ``detect`` looks at one execution of each class.
    ``stall_s`` is how long a thread may go without a step.
    """

    executions: int | None = None
    seconds: float | None = None
    seed: int = 0
    stop_on_first: bool = False
    progress: ProgressCall | None = None
    detect: Detect = nothing
    stall_s: float = osthreads.STALL_S
    least: int = 0


Ran = TypeVar("Ran", bound=Outcome | None, covariant=True)


class Schedules(Protocol[Ran]):
    """Has a next schedule; ``executions`` counts those that were run."""

    @property
    def executions(self) -> int: ...

    def execute(self) -> Ran:
        """Run the next one; return None if it turned out to be explored already."""

    def advance(self) -> bool:
        """Go on to the next schedule; return False when there is none."""


def outcomes(
    source: Schedules[Ran], most: float = _FOREVER, until: float = _FOREVER, least: int = 1
) -> Iterator[Ran]:
    """Yield the outcome of each schedule of ``source``.

    At most ``most`` schedules are run; once ``least`` were run, the time ``until`` ends it too.  The caller
    has finished with one outcome before the next schedule is chosen.
    """
    while True:
        yield source.execute()
        # In this order: to go on, the source may have to process the races of the last execution, and only
        # then is it known whether any schedule is left, however little time is left.
        if not source.advance() or source.executions >= most:
            return
        if source.executions >= least and perf_counter() >= until:
            return


class Source(Schedules[Outcome | None], Protocol):
    """The schedules of a whole search, and what it knows of them.

    ``complete``: they were all there are; ``clean``: so many without a finding are an answer.  ``restarts``
    counts how often all executions were discarded, to be run again.  ``by`` is the strategy of the last
    execution.
    """

    mode: str
    complete: bool
    restarts: int

    @property
    def by(self) -> str: ...

    @property
    def clean(self) -> bool: ...

    def novel(self, outcome: Outcome) -> bool:
        """Return whether the last execution is of a class that was not seen before."""

    def brought(self, found: bool, new: bool) -> None:
        """Note whether the last execution broke a rule, and whether with a new signature."""

    def over(self, found: bool) -> None:
        """Note that the search has ended, with a finding or without one."""

    def note(self, seconds: float, found: bool) -> str:
        """Return in words what is known after so many seconds."""

    def stats(self, seconds: float, found: bool) -> Mapping[str, Any]:
        """Return the same for a report."""


class Loop:
    """One search: ``tally`` has what it found, in ``steps`` steps.

    ``idle`` has the threads that did nothing to shared objects in any of them.  ``until`` is the end of its
    time; ``seconds`` is how long it took.
    """

    def __init__(self, plan: Plan, enough: Callable[[Tally], bool] = lambda tally: False) -> None:
        self.plan, self.enough = plan, enough
        self.started = self._report_at = perf_counter()
        self.until = self.started + (_FOREVER if plan.seconds is None else plan.seconds)
        self._most = _FOREVER if plan.executions is None else plan.executions
        self.tally, self.idle = Tally(), set[str]()
        self.steps = self._restarts = 0
        self.seconds = 0.0

    def run(self, scheduler: Scheduler, source: Source) -> None:
        """Run the schedules of ``source``; after KeyboardInterrupt or ProgramError what was found is kept."""
        if self._most <= 0 or (self.until <= self.started and not self.plan.least):
            return
        program = scheduler.program
        # A thread that is interrupted takes part in that way.
        self.idle = set(program.threads) - {thread for thread, _ in program.interrupts.values()}
        try:
            for outcome in outcomes(source, self._most, self.until, self.plan.least):
                # Count before the report, and report before the next one: a callback that ends the run loses
                # nothing.
                if outcome is not None:
                    self._take(scheduler, source, outcome)
                    if self._stops():
                        break
                self._report(source)
            source.over(bool(self.tally.seen))
        finally:
            self.seconds = perf_counter() - self.started

    def _stops(self) -> bool:
        return (self.plan.stop_on_first and self.tally.first is not None) or self.enough(self.tally)

    def _take(self, scheduler: Scheduler, source: Source, outcome: Outcome) -> None:
        if source.restarts > self._restarts:
            # All that was found will be found again, and counted then.
            self._restarts = source.restarts
            self.tally, self.steps = Tally(), 0
        self.steps += len(outcome.log)
        if self.idle:
            self.idle -= {task.name for task, op, _ in outcome.log if op.kind not in TOUCHES_NOTHING}
        tally, number, by = self.tally, source.executions, source.by
        if scheduler.program.parts:
            for thread, result in outcome.results.items():
                tally.returns(thread, (result,))
        new = tally.add(outcome, number, by)
        if source.novel(outcome):
            look(tally, self.plan.detect, scheduler, outcome, number, by)
        source.brought(bool(outcome.faults or outcome.broken), new)

    def _report(self, source: Source) -> None:
        if self.plan.progress is None:
            return
        now = perf_counter()
        if now >= self._report_at:
            self._report_at = now + PROGRESS_S
            seconds = now - self.started
            note = source.note(seconds, bool(self.tally.seen))
            self.plan.progress(Progress(source.executions, self.tally.failures, seconds, note))
