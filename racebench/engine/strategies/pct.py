"""Probabilistic concurrency testing (Burckhardt et al. 2010)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import Strategy

if TYPE_CHECKING:
    from ...trace import Op
    from ..controlled import Task

_FIRST_K = 20
"""Choices assumed in an execution before any has been seen."""


class Pct(Strategy):
    """Random priorities with d-1 random change points; d = 1, 2, 3 in rotation.

    A bug of depth d is hit with probability at least 1 / (n * k**(d-1)) in an
    execution of depth d, for n threads and k steps with a choice; k is the
    largest seen so far.
    """

    NAME = "pct"

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self.k = 0
        self.runs = [0, 0, 0]
        self._run = -1
        self._choices = 0
        self._next = 0
        self._points: list[int] = []
        self._priority: list[int] = []

    def begin(self) -> None:
        self._run += 1
        depth = self._run % 3 + 1
        self.runs[depth - 1] += 1
        self._priority = self._shuffled(depth)
        self._points = self._change_points(depth - 1)
        self._next = self._points.pop() if self._points else 0
        self._choices = 0

    def _shuffled(self, depth: int) -> list[int]:
        priorities = list(range(depth, depth + self.threads))
        for i in range(self.threads - 1, 0, -1):
            j = self.below(i + 1)
            priorities[i], priorities[j] = priorities[j], priorities[i]
        return priorities

    def _change_points(self, n: int) -> list[int]:
        """``n`` distinct choices of 1..k, the earliest last."""
        k = max(self.k or _FIRST_K, n)
        points: set[int] = set()
        while len(points) < n:
            points.add(self.below(k) + 1)
        return sorted(points, reverse=True)

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        self._choices += 1
        priority = self._priority
        best = enabled[0]
        for task in enabled:
            if priority[task.index] > priority[best.index]:
                best = task
        if self._choices == self._next:
            # Change points left to come count the values that remain below.
            priority[best.index] = len(self._points)
            self._next = self._points.pop() if self._points else 0
            for task in enabled:
                if priority[task.index] > priority[best.index]:
                    best = task
        return best

    def end(self, log: list[tuple[Task, Op, Any]], found: bool) -> None:
        self.k = max(self.k, self._choices)

    def miss_bound(self) -> list[float]:
        """For d = 1, 2, 3: the largest probability that a bug of that depth was missed."""
        k, n = max(self.k, 1), self.threads
        return [(1 - 1 / (n * k ** (d - 1))) ** runs for d, runs in enumerate(self.runs, 1)]
