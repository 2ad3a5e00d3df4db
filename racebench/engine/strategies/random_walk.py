"""The random walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import Strategy

if TYPE_CHECKING:
    from ..control.scheduler import Task


class RandomWalk(Strategy):
    """Any enabled thread, each equally likely."""

    NAME = "random"

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self._draw = self.rng.random

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        return enabled[int(self._draw() * len(enabled))]
