"""The strategy of exhaustive search: along the stack, then into the new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...errors import ProgramError, ThreadAbort
from ..events import Event, Events, dependent
from ..wakeup import Branch

if TYPE_CHECKING:
    from ..controlled import Task


class Node:
    """A state on the path being explored: what goes on here, and what is left to do.

    ``tree[0]`` is the branch being explored.  ``asleep`` has the threads whose
    step from here needs no further exploration, by index.  ``others`` has the
    steps that somebody else explores; it is for states above the part explored.
    """

    __slots__ = ("asleep", "done", "others", "ready", "tree")

    def __init__(self, tree: list[Branch], asleep: dict[int, Event], ready: list[Task]) -> None:
        self.tree, self.asleep, self.ready = tree, asleep, ready
        self.others: dict[int, Event] = {}
        self.done = 0


class Exhaustive:
    """Follows the stack of nodes; beyond its end takes the least preempting step not asleep.

    ``tree`` is to be explored first from the beginning; ``given`` has, for the
    first states on the way, the steps that are asleep there.  ``led`` is how many
    steps of the last execution beyond the stack a tree asked for.
    """

    def __init__(
        self, events: Events, tree: Sequence[Branch] = (), given: Sequence[dict[int, Event]] = ()
    ) -> None:
        self.stack: list[Node] = []
        self.events = events
        self._tree, self._given = list(tree), given
        self.asleep_at_end = False
        self._depth = self.led = 0

    def begin(self) -> None:
        self._depth = self.led = 0
        self.asleep_at_end = False

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        depth = self._depth
        self._depth = depth + 1
        if depth < len(self.stack):
            return self._along(self.stack[depth], enabled)
        asleep: dict[int, Event] = {}
        tree = self._tree
        if depth:
            parent = self.stack[depth - 1]
            made = parent.tree[0].event
            asleep = {q: e for q, e in parent.asleep.items() if not dependent(e, made)}
            tree = parent.tree[0].children
        if depth < len(self._given):
            asleep = self._given[depth]
        chosen = self._guided(tree, enabled)
        if chosen is not None:
            self.led += 1
        else:
            chosen = self._free(enabled, current, asleep)
        if chosen is None:
            self.asleep_at_end = True
            raise ThreadAbort
        if not tree or tree[0].event.proc != chosen.index:
            tree = [Branch(self.events.of(chosen.index, chosen.op, chosen.obj))]
        else:
            tree[0].event = self.events.of(chosen.index, chosen.op, chosen.obj)
        self.stack.append(Node(tree, asleep, enabled))
        return chosen

    def _along(self, node: Node, enabled: list[Task]) -> Task:
        wanted = node.tree[0].event
        for task in enabled:
            if task.index == wanted.proc:
                event = self.events.of(task.index, task.op, task.obj)
                if event.op is not wanted.op or event.ident != wanted.ident:
                    break
                # Counts and predicates are as they are in this execution.
                node.tree[0].event = event
                node.ready = enabled
                return task
        raise ProgramError(
            f"the program is not deterministic: at step {self._depth} thread {wanted.proc} does not offer "
            "what it offered before. Verify needs a program that depends on the schedule alone."
        )

    def _guided(self, tree: list[Branch], enabled: list[Task]) -> Task | None:
        """Who the wakeup tree wants next, if it can move."""
        while tree:
            for task in enabled:
                if task.index == tree[0].event.proc:
                    return task
            del tree[0]
        return None

    def _free(self, enabled: list[Task], current: Task | None, asleep: dict[int, Event]) -> Task | None:
        if current is not None and current.ready and current.index not in asleep:
            return current
        for task in enabled:
            if task.index not in asleep:
                return task
        return None
