"""Selectively uniform random walk (2025)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Strategy

if TYPE_CHECKING:
    from ...trace import Op
    from ..controlled import Task


def _interest(op: Op, obj: Any) -> str:
    """What kind of thing an operation touches: a lock class or a field."""
    return op.field if op.is_field else f"lock {obj.cls}"


class Surw(Strategy):
    """Uniform over the orders of one interesting set of operations, chosen afresh per run.

    The set is one lock class or field that two threads use.  How many such
    operations each thread makes is taken from the last execution; the thread
    to make the next one is drawn in proportion to what it has left, and the
    others wait in front of theirs.  All other operations run by random
    priority.
    """

    NAME = "surw"

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self._counts: dict[str, list[int]] = {}
        self._chosen = ""
        self._left: list[int] = []
        self._turn: int | None = None
        self._rank: list[float] = []

    def begin(self) -> None:
        names = sorted(n for n, c in self._counts.items() if sum(1 for x in c if x) > 1)
        self._chosen = names[self.below(len(names))] if names else ""
        self._left = list(self._counts.get(self._chosen, [0] * self.threads))
        self._rank = [self.rng.random() for _ in range(self.threads)]
        self._turn = None

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        if not self._chosen:
            return enabled[self.below(len(enabled))]
        if self._turn is None:
            self._turn = self._draw(list(range(self.threads)))
        chosen = self._chosen
        free = [t for t in enabled if t.index == self._turn or _interest(t.op, t.obj) != chosen]
        if not free:
            # Whose turn it is cannot move: draw again among those who can.
            self._turn = self._draw([t.index for t in enabled])
            free = [t for t in enabled if t.index == self._turn]
        best = max(free, key=lambda t: self._rank[t.index])
        if _interest(best.op, best.obj) == chosen:
            self._left[best.index] = max(0, self._left[best.index] - 1)
            self._turn = None
        return best

    def _draw(self, indexes: list[int]) -> int:
        weights = [self._left[i] for i in indexes]
        total = sum(weights)
        if not total:
            return indexes[self.below(len(indexes))]
        at = self.below(total)
        for index, weight in zip(indexes, weights, strict=True):
            if at < weight:
                return index
            at -= weight
        return indexes[-1]

    def end(self, log: list[tuple[Task, Op, Any]], found: bool) -> None:
        counts: dict[str, list[int]] = {}
        for task, op, obj in log:
            row = counts.setdefault(_interest(op, obj), [0] * self.threads)
            row[task.index] += 1
        for name, row in counts.items():
            known = self._counts.setdefault(name, row)
            self._counts[name] = [max(a, b) for a, b in zip(known, row, strict=True)]
