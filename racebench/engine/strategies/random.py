"""The random walk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...trace import Op
from ..offer import Offer
from . import Strategy

_AHEAD = 64
"""How many numbers are drawn at once."""

_NOBODY = 1.0
"""A sentinel that ``random()`` never returns: as a choice it would be beyond the last."""


class RandomWalk(Strategy):
    """Any enabled thread, each equally likely.

    Each choice takes the next number of the generator.  The following numbers show how long
    the walk stays with a thread; numbers that were not used are taken again.
    """

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self._drawn = [_NOBODY]
        self._next = 0

    def pick(self, enabled: Sequence[Offer], current: Offer | None) -> Offer:
        drawn, n = self._drawn, len(enabled)
        at = self._next - self.stay
        if drawn[at] is _NOBODY:
            draw = self.rng.random
            drawn = self._drawn = [*[draw() for _ in range(_AHEAD)], _NOBODY]
            at = 0
        chosen = int(drawn[at] * n)
        first = at = at + 1
        while int(drawn[at] * n) == chosen:
            at += 1
        self._next, self.stay = at, at - first
        return enabled[chosen]

    def end(self, log: Iterable[tuple[Offer, Op, Any]], found: bool) -> None:
        self._next -= self.stay
        self.stay = 0
