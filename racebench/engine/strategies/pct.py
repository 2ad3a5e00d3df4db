"""Probabilistic concurrency testing (Burckhardt et al. 2010)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...trace import Kind, Op
from ..offer import Offer
from . import Strategy

_FIRST_K = 20
"""Choices assumed in an execution before any has been seen."""

_FOREVER = 1 << 62


class Pct(Strategy):
    """Random priorities with d-1 random change points; d = 1, 2, 3 in rotation.

    A bug of depth d is hit with probability at least 1 / (n * k**(d-1)) in an
    execution of depth d, for n threads and change points drawn from k steps with
    a choice, if it is met within k: k is the largest number seen so far.

    Between two change points the priorities stay as they are, so the thread that is
    chosen stays the first of those that can run.
    """

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self.k = 0
        self.drawn: list[Counter[int]] = [Counter(), Counter(), Counter()]
        """For d = 1, 2, 3: how many executions drew their change points from each number of steps."""
        self._run = -1
        self._choices = self._granted = 0
        self._next, self._lowered = 0, 0.0
        self._points: list[tuple[int, float]] = []
        self._priority: list[float] = []

    def begin(self) -> None:
        self._run = run = self._run + 1
        depth = run % 3 + 1
        k = max(self.k or _FIRST_K, depth - 1)
        self.drawn[depth - 1][k] += 1
        self._priority = self._shuffled(depth, depth + self.threads)
        self._choices = self._granted = self.stay = self._next = 0
        if depth > 1:
            self._points = self._change_points(depth - 1, k)
            self._next, self._lowered = self._points.pop()

    def joined(self) -> None:
        super().joined()
        # A random place among the priorities that no change point has lowered.
        self._priority.append(self._run % 3 + 1 + self.rng.random() * self.threads)

    def _shuffled(self, first: int, end: int) -> list[float]:
        """The numbers from ``first`` on to ``end``, without it."""
        shuffled: list[float] = [*range(first, end)]
        draw = self.rng.random
        for i in range(len(shuffled) - 1, 0, -1):
            j = int(draw() * (i + 1))
            shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
        return shuffled

    def _change_points(self, n: int, k: int) -> list[tuple[int, float]]:
        """``n`` distinct choices of 1..k, the earliest last, each with the priority that it gives.

        The thread that is lowered first need not be raised first: every order of priorities is possible.
        """
        if n == 1:
            return [(self.below(k) + 1, 0)]
        points: set[int] = set()
        while len(points) < n:
            points.add(self.below(k) + 1)
        return list(zip(sorted(points, reverse=True), self._shuffled(0, n), strict=True))

    def _go_on(self) -> None:
        """Go to the next change point; 0 means none."""
        self._next, self._lowered = self._points.pop() if self._points else (0, 0.0)

    def pick(self, enabled: Sequence[Offer], current: Offer | None) -> Offer:
        self._choices += 1 + self._granted - self.stay
        best = self._first(enabled)
        if self._choices == self._next:
            self._priority[best.index] = self._lowered
            self._go_on()
            best = self._first(enabled)
        self._granted = (self._next or _FOREVER) - self._choices - 1
        if best.op.kind is Kind.TIMEOUT or best.op.kind is Kind.PAUSE:
            # A thread that times out again and again would keep the others from making what it waits for.
            self._priority[best.index] = min(self._priority) - 1
            self._granted = 0
        self.stay = self._granted
        return best

    def _first(self, enabled: Sequence[Offer]) -> Offer:
        priority, best = self._priority, enabled[0]
        most = priority[best.index]
        for task in enabled:
            own = priority[task.index]
            if own > most:
                best, most = task, own
        return best

    def end(self, log: Iterable[tuple[Offer, Op, Any]], found: bool) -> None:
        self.k = max(self.k, self._choices + self._granted - self.stay)

    def statistics(self) -> Mapping[str, Any]:
        return {"miss_bound": self.miss_bound()}

    def miss_bound(self) -> list[float]:
        """For d = 1, 2, 3: the largest probability that a bug of that depth was missed.

        It holds for a bug within the longest execution seen: change points drawn from
        fewer steps than that guarantee nothing.
        """
        bounds = []
        for d, drawn in enumerate(self.drawn, 1):
            missed = 1.0
            for k, runs in drawn.items():
                if d == 1 or k >= self.k:
                    missed *= (1 - 1 / (self.threads * k ** (d - 1))) ** runs
            bounds.append(missed)
        return bounds
