"""The random walk."""

from __future__ import annotations

from collections.abc import Sequence

from ..offer import Offer
from . import Strategy


class RandomWalk(Strategy):
    """Any enabled thread, each equally likely."""

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self._draw = self.rng.random

    def pick(self, enabled: Sequence[Offer], current: Offer | None) -> Offer:
        return enabled[int(self._draw() * len(enabled))]
