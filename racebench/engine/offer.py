"""The view that a strategy has of a task: its name, and its next operation."""

from __future__ import annotations

from typing import Any, Protocol

from ..trace import Op


class Offer(Protocol):
    """A thread, interrupt or store buffer that can make the next step: ``op`` on ``obj``."""

    index: int
    name: str
    op: Op
    obj: Any


def racing(op: Op, obj: Any, other: Op, other_obj: Any) -> bool:
    """Whether two operations of different threads do not commute."""
    if obj is not other_obj:
        return False
    if op.is_field:
        return op.field == other.field and (op.conflicts or other.conflicts)
    return op.conflicts or other.conflicts
