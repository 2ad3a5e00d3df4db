"""Optimal dynamic partial order reduction: the search, execution by execution.

Each maximal execution runs once per equivalence class (Mazurkiewicz trace) of
schedules: races found in one execution put the reversed order into the wakeup
tree of the state where it begins; sleep sets keep equivalent orders out.
Memory is bounded by the depth of an execution, not by their number.
"""

from __future__ import annotations

from .buffer_races import BufferedEvents, BufferedHistory, BufferedInterruptedHistory
from .controlled import Outcome, Scheduler
from .events import Event, Events
from .interrupt_races import InterruptedHistory
from .races import History
from .strategies.exhaustive import Exhaustive
from .wakeup import covered, insert


class Search:
    """The state of an unbounded search between two executions."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self._cpus = {t.index: (t.cpu._rb_id, "") for t in scheduler.tasks if t.cpu is not None}
        self.strategy = Exhaustive(self._events())
        self.executions = self.redundant = 0
        self.complete = False
        # Where the next execution leaves the last.
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
            while node.tree and not any(t.index == node.tree[0].event.proc for t in node.ready):
                del node.tree[0]
            if node.tree:
                self._fresh = len(stack) - 1
                return True
            stack.pop()
        self.complete = True
        return False

    def _insert_races(self) -> None:
        """Only steps from where this execution left the last one can bring new races."""
        stack = self.strategy.stack
        history = self._history()
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

    def _events(self) -> Events:
        buffers = self.scheduler.buffers
        return Events(self._cpus) if buffers is None else BufferedEvents(self._cpus, buffers.fifos)

    def _history(self) -> History:
        n = len(self.scheduler.tasks)
        if self.scheduler.buffers is not None:
            return BufferedInterruptedHistory(n, self._cpus) if self._cpus else BufferedHistory(n)
        return InterruptedHistory(n, self._cpus) if self._cpus else History(n)

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
