"""What a strategy sees of a task: who it is, and what it is about to do."""

from __future__ import annotations

from typing import Any, Protocol

from ..trace import Op


class Offer(Protocol):
    """A thread, interrupt or store buffer that can make the next step: ``op`` on ``obj``."""

    index: int
    name: str
    op: Op
    obj: Any


class Turn(Protocol):
    """For how many steps the answer of a strategy holds, so that it is not asked at each of them.

    It sets ``stay`` when it has chosen: it would choose the same at so many more steps as
    long as the same threads can run, and the one that does offers no timeout and no sleep.
    Whoever makes the steps counts ``stay`` down, and moves what is left of it to
    ``unspent`` when that is over.  If nobody does, the strategy is asked at each step.
    """

    stay: int
    unspent: int


class EachStep:
    """The turn of a strategy that is asked at each step: nothing is ever spent."""

    def __init__(self) -> None:
        self.stay = self.unspent = 0


def racing(op: Op, obj: Any, other: Op, other_obj: Any) -> bool:
    """Whether two operations of different threads do not commute."""
    if obj is not other_obj:
        return False
    if op.is_field:
        return op.field == other.field and (op.conflicts or other.conflicts)
    return op.conflicts or other.conflicts
