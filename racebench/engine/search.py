"""Optimal dynamic partial order reduction: the search, execution by execution.

Each maximal execution runs once per equivalence class (Mazurkiewicz trace) of
schedules: races found in one execution put the reversed order into the wakeup
tree of the state where it begins; sleep sets keep equivalent orders out.
Memory is bounded by the depth of an execution, not by their number.

A search may be of one part only (see ``parts``).  The states above it are
not its own: it explores one step from each, and reports what it would insert.
"""

from __future__ import annotations

from ..errors import ProgramError
from .buffer_races import BufferedEvents, BufferedHistory, BufferedInterruptedHistory
from .controlled import Outcome, Scheduler
from .events import Event, Events
from .interrupt_races import InterruptedHistory
from .parts import Level, Part, Wire, branch_of, by_thread, twig, wire
from .races import History
from .strategies.exhaustive import Exhaustive, Node
from .wakeup import covered, insert


class Search:
    """The state of an unbounded search, of all or of a ``part``, between two executions."""

    cut = False

    def __init__(self, scheduler: Scheduler, part: Part | None = None) -> None:
        self.scheduler = scheduler
        self._cpus = {t.index: (t.cpu._rb_id, "") for t in scheduler.tasks if t.cpu is not None}
        self._part = part
        self.strategy = Exhaustive(self._events())
        self.executions = self.redundant = 0
        self.complete = False
        # How many states lie above what is searched, and where the next execution leaves the last.
        self._floor = self._fresh = 0
        self._levels: list[Level] = []
        self._learned: dict[tuple[int, tuple[Wire, ...]], None] = {}
        if part is not None:
            self._floor = len(part.path)
            self._fresh = self._floor - 1
            tree = part.tree
            for proc in reversed(part.path):
                tree = (((proc, (), ()), tree),)
            given = [*({} for _ in part.path), by_thread(part.asleep)]
            self.strategy = Exhaustive(self.strategy.events, [branch_of(t) for t in tree], given)

    def execute(self) -> Outcome | None:
        """Run the next execution; None if it turned out to be explored already."""
        outcome = self.scheduler.run(self.strategy, always_ask=True)
        if self._part is not None:
            self._arrived(self._part)
        if self.strategy.asleep_at_end:
            self.redundant += 1
            return None
        self.executions += 1
        return outcome

    def _arrived(self, part: Part) -> None:
        """The first execution has made the states above the part, and those that its tree led through.

        Other reversals may lead through those, so they are handed over: down to
        where nothing sleeps that slept above the part.  That is where the tree
        ends, unless a step that it asked for was not possible.
        """
        self._part = None
        stack, floor = self.strategy.stack, self._floor
        if self.strategy.led < floor or tuple(n.tree[0].event.proc for n in stack[:floor]) != part.path:
            raise ProgramError(
                "the program is not deterministic: steps that led to a state in one process lead elsewhere "
                "in another. Verify needs a program that depends on the schedule alone."
            )
        for node, others in zip(stack, part.others, strict=False):
            node.others.update(by_thread(others))
        depth = self.strategy.led
        while depth < len(stack) and stack[depth].asleep:
            depth += 1
        self._hand_over(depth, True)

    def _hand_over(self, depth: int, led: bool) -> None:
        """The states above ``depth`` are the owner's from now on."""
        self._levels += [_handed_over(node, led) for node in self.strategy.stack[self._floor : depth]]
        self._floor = depth

    def advance(self) -> bool:
        """Take in the races of the execution that has just run; False when all is explored."""
        if not self.strategy.asleep_at_end:
            self._insert_races()
        stack = self.strategy.stack
        while len(stack) > self._floor:
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
        if e >= self._floor:
            if not covered(sequence, node.asleep.values()):
                insert(node.tree, sequence)
        elif not covered(sequence, node.others.values()):
            self._learned[e, tuple(wire(one) for one in sequence)] = None

    def learned(self) -> list[tuple[int, tuple[Wire, ...]]]:
        learned = list(self._learned)
        self._learned.clear()
        return learned

    def split(self) -> None:
        stack = self.strategy.stack
        for depth in range(self._floor, len(stack)):
            if len(stack[depth].tree) > 1:
                self._hand_over(depth + 1, False)
                return

    def handed_over(self) -> list[Level]:
        levels, self._levels = self._levels, []
        return levels

    def done(self) -> float:
        """An estimate of the share of the part that is explored, 0..1, from the branching on the path."""
        share, weight = 0.0, 1.0
        for node in self.strategy.stack[self._floor :]:
            total = node.done + max(1, len(node.tree))
            share += weight * node.done / total
            weight /= total
        return share


def _handed_over(node: Node, led: bool) -> Level:
    """``node`` as it is; from here on it keeps its first branch only."""
    level = Level(
        tuple(wire(event) for event in node.asleep.values()),
        tuple(twig(branch) for branch in node.tree),
        node.done,
        frozenset(task.index for task in node.ready),
        led,
    )
    node.others.update(node.asleep)
    del node.tree[1:]
    return level
