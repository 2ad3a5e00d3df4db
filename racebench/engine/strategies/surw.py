"""Selectively uniform random walk (Zhao, Wolff, Mathur and Roychoudhury 2025)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...trace import Kind, Op
from ..offer import Offer
from . import Strategy

# A release follows its acquire: only the order of acquires is a choice.
# Stores and fences affect only their thread: other threads see what leaves its buffer.
_RELEASES = frozenset({Kind.RELEASE, Kind.RELEASE_READ, Kind.RELEASE_WRITE, Kind.UP, Kind.STORE, Kind.FENCE})


class Surw(Strategy):
    """Uniform over the orders of one interesting set of operations, chosen afresh per run.

    The set is the accesses to one field, or the acquires of one lock class,
    that two threads use and one changes; a set is chosen in proportion to its
    size.  The thread that makes the next interesting step is drawn in proportion to the
    number of them that it has left, estimated by the most it made in an execution so far;
    the other threads are held back before theirs.  All other operations run
    by a random priority per operation.

    Unlike the paper, no execution is spent on counting alone: until two
    threads have been seen to share something, this is a random walk.
    """

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self._counts: dict[tuple[bool, str], list[int]] = {}
        self._changed: set[tuple[bool, str]] = set()
        self._lock = self._field = ""
        self._left: list[int] = []
        self._turn = -1
        self._all = range(threads)
        self._rank: list[float] = []

    def begin(self) -> None:
        draw = self.rng.random
        self._rank = [draw() for _ in range(self.threads)]
        self._lock = self._field = ""
        self._left = []
        self._turn = -1
        shared = sorted(key for key in self._changed if sum(map(bool, self._counts[key])) > 1)
        at = self.below(sum(sum(self._counts[key]) for key in shared))
        for key in shared:
            at -= sum(self._counts[key])
            if at < 0:
                self._left = list(self._counts[key])
                self._field, self._lock = (key[1], "") if key[0] else ("", key[1])
                break

    def joined(self) -> None:
        super().joined()
        self._all = range(self.threads)
        self._rank.append(self.rng.random())
        # The present choice may be one of these rows.
        rows = [*self._counts.values(), *([self._left] if self._left else ())]
        for row in {id(row): row for row in rows}.values():
            row.append(0)

    def pick(self, enabled: Sequence[Offer], current: Offer | None) -> Offer:
        if not self._left:
            return enabled[self.below(len(enabled))]
        best = self._foremost(enabled)
        while best is None or (self._turn < 0 and self._interesting(best.op, best.obj)):
            if best is None:
                # The thread whose turn it is cannot move: draw again among those that can.
                self._turn = self._draw([task.index for task in enabled])
            else:
                self._left[best.index] = self._left[best.index] or 1
                self._turn = self._draw(self._all)
            best = self._foremost(enabled)
        index = best.index
        if self._interesting(best.op, best.obj):
            self._left[index] = max(0, self._left[index] - 1)
            self._turn = -1
        self._rank[index] = self.rng.random()
        return best

    def _foremost(self, enabled: Sequence[Offer]) -> Offer | None:
        """The best by rank, without threads whose next step is interesting while it is another's turn."""
        turn, rank, best, highest = self._turn, self._rank, None, -1.0
        for task in enabled:
            index = task.index
            if rank[index] > highest and (
                turn < 0 or index == turn or not self._interesting(task.op, task.obj)
            ):
                best, highest = task, rank[index]
        return best

    def _interesting(self, op: Op, obj: Any) -> bool:
        if op.is_field:
            return op.field == self._field and op.kind is not Kind.STORE
        return bool(self._lock) and obj.cls == self._lock and op.kind not in _RELEASES

    def _draw(self, indexes: Sequence[int]) -> int:
        """One of ``indexes``, in proportion to the steps left; if none are left, each equally likely."""
        left = self._left
        total = sum([left[index] for index in indexes])
        if not total:
            return indexes[self.below(len(indexes))]
        at = self.below(total)
        for index in indexes:
            at -= left[index]
            if at < 0:
                break
        return index

    def end(self, log: Iterable[tuple[Offer, Op, Any]], found: bool) -> None:
        made: dict[tuple[bool, str], list[int]] = {}
        for task, op, obj in log:
            if op.kind in _RELEASES:
                continue
            key = (op.is_field, op.field or obj.cls)
            row = made.get(key)
            if row is None:
                row = made[key] = [0] * self.threads
            row[task.index] += 1
            if op.conflicts:
                self._changed.add(key)
        for key, row in made.items():
            known = self._counts.get(key)
            self._counts[key] = row if known is None else list(map(max, known, row))
