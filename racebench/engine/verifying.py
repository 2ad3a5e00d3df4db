"""Exhaustive verification: optimal dynamic partial order reduction on real threads.

Each maximal execution runs once per equivalence class (Mazurkiewicz trace) of
schedules: races found in one execution put the reversed order into the wakeup
tree of the state where it begins; sleep sets keep equivalent orders out.
Memory is bounded by the depth of an execution, not by their number.
"""

from __future__ import annotations

import time
from typing import Any

from ..findings import Finding, Result, Verdict
from ..program import Program
from .bounded import Bounded
from .controlled import MAX_STEPS, Outcome, Scheduler
from .events import Event
from .exploring import PROGRESS_S, Progress, ProgressCall
from .races import History
from .replaying import completed
from .strategies.exhaustive import Exhaustive
from .tally import Tally, finding_of
from .wakeup import covered, insert


class Search:
    """The state of an unbounded search between two executions."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.strategy = Exhaustive()
        self.executions = self.redundant = 0
        self._fresh = 0

    def execute(self) -> Outcome | None:
        """Run the next execution; None if it turned out to be explored already."""
        outcome = self.scheduler.run(self.strategy, always_ask=True)
        if self.strategy.asleep_at_end:
            self.redundant += 1
            return None
        self.executions += 1
        return outcome

    def advance(self) -> bool:
        """Take in the races of the execution that has just run; False when all is explored."""
        if not self.strategy.asleep_at_end:
            self._insert_races()
        stack = self.strategy.stack
        while stack:
            node = stack[-1]
            node.done += 1
            explored = node.tree.pop(0)
            node.asleep[explored.event.proc] = explored.event
            # An order that some lock forbids was asked for: there is no such execution.
            while node.tree and node.tree[0].event.proc not in node.ready:
                del node.tree[0]
            if node.tree:
                self._fresh = len(stack) - 1
                return True
            stack.pop()
        return False

    def _insert_races(self) -> None:
        """Only steps from where this execution left the last one can bring new races."""
        stack = self.strategy.stack
        history = History(len(self.scheduler.tasks))
        ready = [node.ready for node in stack]
        races: list[tuple[int, Event]] = []
        for i, node in enumerate(stack):
            event = node.tree[0].event
            races += [(e, event) for e in history.add(event, ready, i >= self._fresh)]
        for task in self.scheduler.tasks:
            if task.blocked is not None:
                op, obj = task.blocked
                event = self.strategy.events.of(task.index, op, obj)
                races += [(e, event) for e in history.races_of(event, ready)]
        for e, event in races:
            self._reverse(history, e, event)

    def _reverse(self, history: History, e: int, event: Event) -> None:
        """Have ``event`` come before step ``e`` in some execution to come."""
        node = self.strategy.stack[e]
        n = len(history.events)
        sequence = [history.events[i] for i in range(e + 1, n) if not history.after(e, i)]
        sequence.append(event)
        if not covered(sequence, node.asleep.values()):
            insert(node.tree, sequence)

    def done(self) -> float:
        """An estimate of the share that is explored, 0..1, from the branching on the path."""
        share, weight = 0.0, 1.0
        for node in self.strategy.stack:
            total = node.done + max(1, len(node.tree))
            share += weight * node.done / total
            weight /= total
        return share


def verify(
    program: Program,
    preemptions: int | None = None,
    seconds: float = 60,
    max_executions: int | None = None,
    *,
    progress: ProgressCall | None = None,
    max_steps: int = MAX_STEPS,
) -> Result:
    """Run ``program`` in every schedule, one execution per equivalence class.

    With ``preemptions`` only schedules with at most that many switches away
    from a thread that could go on.  ``complete`` is True when all are covered;
    a budget that ends first gives UNKNOWN if nothing was found, never CLEAN.
    ``stats``: ``preemption_bound`` and ``done``, an estimate of the share seen.
    ProgramError if the program does not do the same twice.
    """
    return Verification(program, preemptions, progress).go(seconds, max_executions, max_steps)


class Verification:
    """One call of ``verify``."""

    def __init__(self, program: Program, preemptions: int | None, progress: ProgressCall | None) -> None:
        self.program, self.preemptions, self.progress = program, preemptions, progress
        self.tally = Tally()
        self.interrupted = self.complete = False

    def go(self, seconds: float, max_executions: int | None, max_steps: int) -> Result:
        started = time.perf_counter()
        with Scheduler(self.program, max_steps=max_steps, ghost=True) as scheduler:
            search: Any = Search(scheduler)
            if self.preemptions is not None:
                search = Bounded(scheduler, self.preemptions)
            try:
                self._loop(search, started, seconds, max_executions)
            except KeyboardInterrupt:
                self.interrupted = True
            findings = tuple(
                completed(scheduler, finding_of(seen, "verify", 0)) for seen in self.tally.seen.values()
            )
        return self._result(search, findings, time.perf_counter() - started)

    def _loop(self, search: Any, started: float, seconds: float, most: int | None) -> None:
        tally, scheduler = self.tally, search.scheduler
        report_at = started
        while True:
            outcome = search.execute()
            if outcome is not None:
                tally.add(outcome, search.executions, "exhaustive")
                if scheduler.lost or any(e.rule.startswith("stall.") for e in outcome.events):
                    return
            if not search.advance():
                self.complete = True
                return
            now = time.perf_counter()
            if now - started >= seconds or (most is not None and search.executions >= most):
                return
            if self.progress is not None and now >= report_at:
                report_at = now + PROGRESS_S
                note = f"about {search.done():.0%} of all schedules"
                self.progress(Progress(search.executions, tally.failures, now - started, note))

    def _result(self, search: Any, findings: tuple[Finding, ...], seconds: float) -> Result:
        verdict = Verdict.UNKNOWN
        if findings:
            verdict = Verdict.FOUND
        elif self.complete:
            verdict = Verdict.CLEAN
        complete = self.complete and self.preemptions is None
        done = 1.0 if self.complete else search.done()
        stats = {"preemption_bound": self.preemptions, "done": done, "redundant": search.redundant}
        return Result(
            verdict, complete, search.executions, seconds, findings, self.tally.first,
            self.tally.failures, interrupted=self.interrupted, stats=stats,
        )  # fmt: skip
