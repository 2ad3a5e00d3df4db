"""Partial order sampling (Yuan, Yang and Gu 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from ..offer import Offer, racing
from . import Strategy


class Pos(Strategy):
    """A random priority per pending operation; after a step, what raced with it is drawn afresh."""

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self._score: list[float] = []
        self._last: Offer | None = None

    def begin(self) -> None:
        draw = self.rng.random
        self._score = [draw() for _ in range(self.threads)]
        self._last = None

    def joined(self) -> None:
        super().joined()
        self._score.append(self.rng.random())

    def pick(self, enabled: Sequence[Offer], current: Offer | None) -> Offer:
        score, draw = self._score, self.rng.random
        if current is not None and current is not self._last:
            # It made steps without a choice, so its present offer is new.
            score[current.index] = draw()
        best = enabled[0]
        for task in enabled:
            if score[task.index] > score[best.index]:
                best = task
        # Drawn now, not at the next choice: it may be unable to move then, and
        # must not come back with the priority of the step made here.
        op, obj = best.op, best.obj
        for task in enabled:
            if task is best or racing(task.op, task.obj, op, obj):
                score[task.index] = draw()
        self._last = best
        return best
