"""The strategy of exhaustive search: along the stack, then into unexplored states."""

from __future__ import annotations

from typing import Any

from ...errors import ProgramError, ThreadAbort
from ...trace import Kind
from ..control.task import Task
from .event import Event, State, dependent
from .relation import Relation
from .wakeup import Branch

WAITS = {Kind.TIMEOUT, Kind.PAUSE}


class Node:
    """A state on the path being explored: the present branch, and what is left to do.

    ``tree[0]`` is the branch being explored.  ``asleep`` has the threads whose step from here needs no
    further exploration, by index.  ``ready`` are the tasks that can move, and ``state`` is the result of
    ``Relation.state``, both as they are in the execution that runs now.
    ``open_races`` are the races of its step that have to be checked again after each execution.
    ``along`` are the steps that its thread makes along with the branch being explored.
    """

    __slots__ = ("along", "asleep", "open_races", "ready", "state", "tree")

    def __init__(self, tree: list[Branch], asleep: dict[int, Event], ready: list[Task], state: State) -> None:
        self.tree, self.asleep, self.ready, self.state = tree, asleep, ready, state
        self.open_races: list[Any] = []
        self.along: list[Event] = []


class Exhaustive:
    """Follows the stack of nodes; beyond its end takes the least preempting step not asleep.

    The steps along with a node's step are no nodes.  On the stack they are known, so that an answer there
    holds for all of them (``stay``, as in ``Strategy``).
    """

    def __init__(self, relation: Relation) -> None:
        self.stack: list[Node] = []
        self.relation = relation
        self.asleep_at_end = False
        self._depth = self.stay = 0

    def begin(self) -> None:
        self._depth = self.stay = 0
        self.asleep_at_end = False

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        depth = self._depth
        if self.stay:
            return self._stays(self.stack[depth - 1], current)
        if depth < len(self.stack):
            known = self._known(self.stack[depth], enabled)
            self._depth = depth + 1
            self.stay = len(self.stack[depth].along)
            return known
        if depth and current is not None and self.relation.abridged:
            along = self.relation.along(current)
            if along is not None:
                self.stack[-1].along.append(along)
                return current
        asleep: dict[int, Event] = {}
        tree: list[Branch] = []
        if depth:
            parent = self.stack[depth - 1]
            made = parent.tree[0].event
            if parent.asleep:
                asleep = {q: e for q, e in parent.asleep.items() if not dependent(e, made)}
            tree = parent.tree[0].children
        chosen = self._guided(tree, enabled) if tree else self._free(enabled, current, asleep)
        if chosen is None:
            self.asleep_at_end = True
            raise ThreadAbort
        event = self.relation.of(chosen)
        if tree:
            tree[0].event = event
        else:
            tree = [Branch(event)]
        self.stack.append(Node(tree, asleep, enabled, self.relation.state(chosen)))
        # This comes last: a program that recurses without end runs out of stack in here.
        self._depth = depth + 1
        return chosen

    def _stays(self, node: Node, current: Task | None) -> Task:
        if current is None or current.index != node.tree[0].event.proc:
            raise self.different(node.tree[0].event)
        self.stay -= 1
        return current

    def _known(self, node: Node, enabled: list[Task]) -> Task:
        wanted = node.tree[0].event
        for task in enabled:
            if task.index == wanted.proc:
                event = self.relation.of(task)
                if event.offer is not wanted.offer or event.ident != wanted.ident:
                    break
                # The state and a predicate's own object must be those of this execution.
                node.tree[0].event = event
                node.ready = enabled
                node.state = self.relation.state(task)
                return task
        raise self.different(wanted)

    def different(self, wanted: Event) -> ProgramError:
        return ProgramError(
            f"the program is not deterministic: at step {self._depth} thread {wanted.proc} does not offer "
            "what it offered before. Verify needs a program that depends on the schedule alone."
        )

    def _guided(self, tree: list[Branch], enabled: list[Task]) -> Task:
        """Return the task that the wakeup tree wants next."""
        for task in enabled:
            if task.index == tree[0].event.proc:
                return task
        raise self.different(tree[0].event)

    def _free(self, enabled: list[Task], current: Task | None, asleep: dict[int, Event]) -> Task | None:
        """Choose a task not asleep; a timeout or a sleep last, since repeated waits may have no end."""
        late = current is not None and current.op.kind in WAITS
        if current is not None and not late and current.ready and current.index not in asleep:
            return current
        awake = [task for task in enabled if task.index not in asleep]
        for task in awake:
            if task.op.kind not in WAITS:
                return task
        return awake[0] if awake else None


class Trial:
    """Follows ``order``, thread by thread; then ``able`` has the indices of the threads that could go on."""

    def __init__(self, relation: Relation, order: list[int]) -> None:
        self._relation, self._order = relation, order
        self._at = 0
        self.able: set[int] = set()

    def begin(self) -> None:
        self._at = 0

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        if current is not None and self._at and self._relation.along(current):
            return current
        if self._at < len(self._order):
            wanted = self._order[self._at]
            self._at += 1
            for task in enabled:
                if task.index == wanted:
                    return task
        else:
            self.able = {task.index for task in enabled}
        raise ThreadAbort
