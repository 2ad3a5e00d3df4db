"""Partial order sampling (Yuan, Yang and Gu 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ops import racing
from . import Strategy

if TYPE_CHECKING:
    from ...trace import Op
    from ..controlled import Task


class Pos(Strategy):
    """A random priority per pending operation; racing ones are drawn afresh after each step."""

    NAME = "pos"

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self._score: list[float] = []
        self._last: tuple[Task, Op, Any] | None = None

    def begin(self) -> None:
        draw = self.rng.random
        self._score = [draw() for _ in range(self.threads)]
        self._last = None

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        score = self._score
        if self._last is not None:
            ran, op, obj = self._last
            draw = self.rng.random
            for task in enabled:
                if task is ran or racing(task.op, task.obj, op, obj):
                    score[task.index] = draw()
        best = enabled[0]
        for task in enabled:
            if score[task.index] > score[best.index]:
                best = task
        self._last = (best, best.op, best.obj)
        return best
