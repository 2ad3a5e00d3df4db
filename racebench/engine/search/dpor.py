"""Optimal dynamic partial order reduction: the search, execution by execution.

After Abdulla, Aronis, Jonsson and Sagonas (see ``wakeup``): each maximal execution runs once per
equivalence class of schedules.  Races found in one execution put the reversed order into the wakeup tree
of the state where it begins; sleep sets keep equivalent orders out.  Memory is bounded by the depth of an
execution, not by the number of executions.

Guarantees: at the end every class of the relation was run.  Programs of locks and fields take one
execution per class.  Where the guard of a step has to be tried (see ``races``), the execution that tries
it is counted as ``redundant``; so is an execution that turns out to have been explored.  The latter are
searched for races like all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...errors import ProgramError
from ..control.execution import Chooser
from ..control.scheduler import Outcome, Scheduler
from .estimate import Estimate
from .event import NOTIFIES, Event
from .evidence import real
from .path import Exhaustive, Trial
from .races import PartialOrder
from .relation import Relation
from .wakeup import covered, insert, place, position

_MOST_RESTARTS = 1_000
_KNOWN = 8
"""After so many executions it is known which steps are quiet."""

_Race = tuple[int, list[int], bool, Event, int]
"""A race as ``PartialOrder`` reports it, its second step, and the place of that (the end: it never came)."""


class Search:
    """The state of an unbounded search between two executions.

    ``restarts`` counts how often the search began anew, with all its results discarded.  What the
    ``relation`` of an earlier search of the same program has learnt is used by this one too.
    """

    def __init__(self, scheduler: Scheduler, relation: Relation | None = None) -> None:
        self.scheduler = scheduler
        self.relation = relation or Relation(scheduler)
        if relation is not None:
            relation.abridge()
        self.restarts = -1
        self._restart()

    def _restart(self) -> None:
        self.restarts += 1
        if self.restarts > _MOST_RESTARTS:
            raise ProgramError(
                "the program is not deterministic: what its predicates look at is new each time. "
                "Verify needs a program that depends on the schedule alone."
            )
        self.relation.renew()
        self._began = self.scheduler.floor.runs
        self.strategy = Exhaustive(self.relation)
        self.estimate = Estimate(self.relation, self.strategy.stack)
        self._hung: Outcome | None = None
        self.executions = self.redundant = 0
        self.complete = False
        # The depth at which the next execution leaves the one before.
        self._fresh = 0
        self._refused: set[tuple[int, ...]] = set()

    def execute(self) -> Outcome | None:
        """Run the next execution; return None if it turned out to be explored already."""
        if self._hung is not None:
            self.executions += 1
            return self._hung
        while True:
            outcome = self._run(self.strategy)
            if not self.relation.grown:
                break
            self._restart()
        self._order, self._races = self._followed()
        if self.strategy.asleep_at_end:
            self.redundant += 1
            return None
        self.executions += 1
        return real(outcome, self.partial_order) if self.scheduler.floor.crashed else outcome

    @property
    def partial_order(self) -> PartialOrder:
        """The partial order of all steps of the execution that has just run."""
        if not any(node.along for node in self.strategy.stack):
            return self._order
        whole = PartialOrder(self.relation, len(self.scheduler.tasks))
        for node in self.strategy.stack:
            whole.add(node.tree[0].event, node.state, node.ready)
            for event in node.along:
                whole.add(event, None, node.ready)
        return whole

    def _run(self, strategy: Chooser) -> Outcome:
        scheduler = self.scheduler
        scheduler.floor.ghost, scheduler.floor.relation = True, self.relation
        try:
            return scheduler.run(strategy, always_ask=True)
        finally:
            scheduler.floor.ghost, scheduler.floor.relation = False, None

    def advance(self) -> bool:
        """Process the races of the execution that has just run; return False when all is explored."""
        for race in self._races:
            self._reverse(*race)
        # A trial, or a step for which a thread still waits, may have shown something new.
        if self.relation.grown:
            self._restart()
            return True
        stack = self.strategy.stack
        while stack:
            node = stack[-1]
            explored = node.tree.pop(0)
            if node.tree:
                if self.executions == _KNOWN and self.relation.abridge():
                    self.scheduler.lookout.repeated += self.scheduler.floor.runs - self._began
                    self._restart()
                    return True
                node.along = []
                node.asleep[explored.event.proc] = explored.event
                self._fresh = len(stack) - 1
                return True
            stack.pop()
        self.complete = True
        return False

    def _followed(self) -> tuple[PartialOrder, list[_Race]]:
        """Return the partial order of the nodes of the execution that has just run, and its races.

        Only steps after the point where this execution left the last one bring new races.  An old race is
        checked again as long as the steps after it matter to it.
        """
        partial_order = PartialOrder(self.relation, len(self.scheduler.tasks))
        races: list[_Race] = []
        taken_away: list[tuple[int, Event, int]] = []
        self._check_along()
        for i, node in enumerate(self.strategy.stack):
            event, fresh = node.tree[0].event, i >= self._fresh
            if event.rare and event.kind in NOTIFIES:
                for sleeper, late in node.state:
                    if late is not None:
                        taken_away.append((i, late, partial_order.last[sleeper]))
            found = partial_order.add(event, node.state, node.ready, fresh)
            if fresh and (found or node.open_races):
                node.open_races = [(*race, event, i) for race in found]
            if node.open_races:
                races += node.open_races
        end = len(self.strategy.stack)
        for i, late, past in taken_away:
            race = partial_order.taken_away(i, late, past)
            if race is not None:
                races.append((*race, late, end))
        for task in self.scheduler.tasks:
            if task.blocked is not None:
                task.op, task.obj = task.blocked
                event = self.relation.of(task)
                found = partial_order.races_of(event, self.relation.state(task))
                races += [(*race, event, end) for race in found]
        return partial_order, races

    def _check_along(self) -> None:
        """Check that the steps for which nobody was asked are those of the execution before."""
        log, at = self.scheduler.floor.log, 0
        for node in self.strategy.stack[: self._fresh]:
            at += 1
            for event in node.along:
                if at >= len(log) or log[at][1] is not event.op or log[at][2]._rb_id != event.ident:
                    raise self.strategy.different(event)
                at += 1

    def _reverse(self, e: int, steps: list[int], sure: bool, event: Event, at: int) -> None:
        """Plan an execution in which ``event``, which came as step ``at``, comes before step ``e``.

        It comes after ``steps`` and before every later step of this execution that does not happen after
        ``e``: an execution that has them all has to be run.  To leave the later steps out would be wrong.
        A step that conflicts with none of ``steps`` may stand for the new execution (it can go first in it),
        and yet conflict with the later ones: then everything after it has the other order there, and where a
        thread hangs nothing ever reverses that.
        """
        stack, events = self.strategy.stack, self._order.events
        node = stack[e]
        before = [events[i] for i in steps]
        sequence = [*before, event, *(events[i] for i in self._order.rest(e, steps, at))]
        planned = _is_planned(node.asleep.values(), sequence, len(before))
        if not covered(sequence, node.asleep.values()):
            found = place(node.tree, sequence)
            if found is not None:
                if sure or self._possible(e, [*before, event]):
                    insert(*found)
                else:
                    planned = True
            planned = planned or _is_planned((branch.event for branch in node.tree), sequence, len(before))
        if planned and at < len(stack):
            mine = (e, steps, sure, event, at)
            stack[at].open_races = [race for race in stack[at].open_races if race != mine]

    def _possible(self, e: int, sequence: list[Event]) -> bool:
        """Return whether the last of ``sequence`` can move after the others, from the state before ``e``."""
        before = [node.tree[0].event.proc for node in self.strategy.stack[:e]]
        order = (*before, *(event.proc for event in sequence))
        if order in self._refused:
            return False
        trial = Trial(self.relation, list(order[:-1]))
        self._run(trial)
        self.redundant += 1
        if order[-1] in trial.able:
            return True
        self._refused.add(order)
        return False

    def look_ahead(self) -> None:
        """Let the estimate walk into the unexplored part between two executions, when it is due."""
        scheduler, estimate = self.scheduler, self.estimate
        if not estimate.due(self.executions):
            return
        estimate.learn(self._order.events)
        before = scheduler.floor.hangs
        outcome = self._run(estimate)
        estimate.walked(self.executions)
        if scheduler.lost or scheduler.floor.hangs > before:
            # The search has to end with this hang, so the walk becomes its next execution, without the faults
            # that a crash may have caused.
            outcome.faults = [fault for fault in outcome.faults if fault.rule == "stall.hang"]
            outcome.parts = []
            self._hung = outcome

    def done(self) -> float:
        """Return an estimate of the explored share of everything, 0..1."""
        return 1.0 if self.complete else self.estimate.share(self.executions)


def _is_planned(firsts: Iterable[Event], sequence: Sequence[Event], before: int) -> bool:
    """Return whether one of ``firsts`` can go first, whatever comes after the reversed step.

    It can if it is the reversed step, or one of the ``before`` steps that come before it.
    """
    found = (position(event, sequence) for event in firsts)
    return any(i is not None and 0 <= i <= before for i in found)
