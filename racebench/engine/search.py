"""Optimal dynamic partial order reduction: the search, execution by execution.

After Abdulla, Aronis, Jonsson and Sagonas (see ``wakeup``): each maximal
execution runs once per equivalence class of schedules.  Races found in one
execution put the reversed order into the wakeup tree of the state where it
begins; sleep sets keep equivalent orders out.  Memory is bounded by the depth
of an execution, not by their number.

Guarantees: at the end every class of the relation was run.  One execution a
class for programs of locks and fields; where the guard of a step has to be
tried (see ``races``), some executions end early, counted as ``redundant``.
They are searched for races like all others: what they lead to may be led to by
nothing else.
"""

from __future__ import annotations

from .controlled import Outcome, Scheduler
from .evidence import real
from .races import History, Race
from .relation import NOTIFIES, Event, Relation
from .strategies.exhaustive import Exhaustive
from .wakeup import covered, insert


class Search:
    """The state of an unbounded search between two executions.

    ``restarts`` counts how often it began anew, all that it had done forgotten.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.relation = Relation(scheduler)
        self.restarts = -1
        self._restart()

    def _restart(self) -> None:
        self.restarts += 1
        self.relation.renew()
        self.strategy = Exhaustive(self.relation)
        self.executions = self.redundant = 0
        self.complete = False
        # Where the execution that runs next leaves the one before.
        self._fresh = 0

    def execute(self) -> Outcome | None:
        """Run the next execution; None if it turned out to be explored already."""
        scheduler = self.scheduler
        scheduler.ghost, scheduler.relation = True, self.relation
        try:
            while True:
                outcome = scheduler.run(self.strategy, always_ask=True)
                if not self.relation.grown:
                    break
                self._restart()
        finally:
            scheduler.ghost, scheduler.relation = False, None
        history, races = self._followed()
        self._races = races
        self._history = history
        if self.strategy.asleep_at_end:
            self.redundant += 1
            return None
        self.executions += 1
        return real(outcome, history) if scheduler.crashed else outcome

    def advance(self) -> bool:
        """Take in the races of the execution that has just run; False when all is explored."""
        for e, steps, event in self._races:
            self._reverse(e, steps, event)
        stack = self.strategy.stack
        while stack:
            node = stack[-1]
            node.done += 1
            explored = node.tree.pop(0)
            node.asleep[explored.event.proc] = explored.event
            if node.tree:
                self._fresh = len(stack) - 1
                return True
            stack.pop()
        self.complete = True
        return False

    def _followed(self) -> tuple[History, list[tuple[int, list[int], Event]]]:
        """The history of the execution that has just run, and its races: (after whom, what before, the step).

        Only steps from where this execution left the last one can bring new races.
        """
        history = History(self.relation, len(self.scheduler.tasks))
        races: list[tuple[int, list[int], Event]] = []
        taken_away: list[tuple[int, Event]] = []
        for i, node in enumerate(self.strategy.stack):
            event = node.tree[0].event
            found = history.add(event, node.state, node.ready, i >= self._fresh)
            races += [(e, steps, event) for e, steps in found]
            if event.kind in NOTIFIES and i >= self._fresh:
                taken_away += [(i, wake) for _, wake in node.state if wake is not None]
        for i, wake in taken_away:
            steps = history.reversal(i, wake)
            if steps is not None:
                races.append((i, steps, wake))
        for task in self.scheduler.tasks:
            if task.blocked is not None:
                task.op, task.obj = task.blocked
                event = self.relation.of(task)
                races += [(e, steps, event) for e, steps in history.races_of(event)]
        return history, races

    def _reverse(self, e: int, steps: list[int], event: Event) -> None:
        """Have ``event`` come before step ``e``, after ``steps``, in some execution to come."""
        node, events = self.strategy.stack[e], self._history.events
        if not steps and all(task.index != event.proc for task in node.ready):
            return
        sequence = [events[i] for i in steps]
        sequence.append(event)
        if not covered(sequence, node.asleep.values()):
            insert(node.tree, sequence)

    def done(self) -> float:
        """An estimate of the share of all that is explored, 0..1, from the branching on the path."""
        share, weight = 0.0, 1.0
        for node in self.strategy.stack:
            total = node.done + max(1, len(node.tree))
            share += weight * node.done / total
            weight /= total
        return share
