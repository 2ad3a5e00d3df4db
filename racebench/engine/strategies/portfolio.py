"""All strategies side by side."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...trace import Op
from ..offer import Offer
from . import Strategy
from .pct import Pct
from .pos import Pos
from .random import RandomWalk
from .surw import Surw

_MEMBERS: tuple[type[Strategy], ...] = (RandomWalk, Pct, Pos, Surw)
_WEIGHTS = 1.0, 1.0, 3.0, 8.0
"""SURW is by far the fastest where a bug lies deep, and POS is the best of the others or nearly so: with
eight turns in thirteen for SURW and three for POS, the portfolio needs at most half as much again as
the best of its members (tests/engine/README.md)."""
_FIRST = 3, 0, 2
"""The first turns.  A bug that every second or third order shows is found soonest at random, and SURW
walks at random as long as it knows nothing.  These turns count: each member gets that many fewer later."""


class Portfolio(Strategy):
    """Every strategy by turns, more often SURW and the ones that find new orders or break rules.

    Shares follow a count of what each member's executions brought (a new
    class of executions, or a broken rule), never a clock, so the same seed
    gives the same schedules.  No member falls below an eighth of the first.
    Each member has the seed itself, as when it is used alone: so the two are compared fairly.
    """

    def __init__(self, seed: int, threads: int) -> None:
        super().__init__(seed, threads)
        self.members = [cls(seed, threads) for cls in _MEMBERS]
        self._member = self.members[0]
        self._credit = [0.0] * len(self.members)
        self._worth = [1.0] * len(self.members)
        self._turns = 0

    @property
    def member(self) -> Strategy:
        return self._member

    def begin(self) -> None:
        due = [weight * worth for weight, worth in zip(_WEIGHTS, self._worth, strict=True)]
        least = max(due) / 8
        shares = [max(one, least) for one in due]
        self._credit = [credit + share for credit, share in zip(self._credit, shares, strict=True)]
        if self._turns < len(_FIRST):
            chosen = _FIRST[self._turns]
        else:
            chosen = max(range(len(self.members)), key=self._credit.__getitem__)
        self._turns += 1
        self._credit[chosen] -= sum(shares)
        self._member = self.members[chosen]
        self._member.begin()
        self.pick = self._member.pick  # type: ignore[method-assign]

    def joined(self) -> None:
        super().joined()
        for member in self.members:
            member.joined()

    def end(self, log: Iterable[tuple[Offer, Op, Any]], found: bool) -> None:
        # SURW counts what threads do, whichever strategy chose them.
        for member in self.members:
            member.end(log, found)

    def reward(self, new: bool) -> None:
        """Learn whether the last execution was worthwhile."""
        at = self.members.index(self._member)
        self._worth[at] += ((1.0 if new else 0.0) - self._worth[at]) / 32
