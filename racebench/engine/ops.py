"""The operations that a thread can offer to the controlled scheduler."""

from __future__ import annotations

from typing import Any

from ..trace import Kind


class Op:
    """One operation as the scheduler sees it: its kind, and for a field its name.

    One Op exists for each field of each class and each kind of access, so an
    offer allocates nothing.
    """

    __slots__ = ("atomic", "field", "is_field", "kind", "writes")

    def __init__(self, kind: Kind, field: str = "", atomic: bool = False) -> None:
        self.kind, self.field, self.atomic = kind, field, atomic
        self.is_field = bool(field)
        self.writes = kind is not Kind.READ and kind is not Kind.LOCKED

    def __repr__(self) -> str:
        return f"<Op {self.kind.value} {self.field}>"


ACQUIRE = Op(Kind.ACQUIRE)
TRY_ACQUIRE = Op(Kind.TRY_ACQUIRE)
RELEASE = Op(Kind.RELEASE)
LOCKED = Op(Kind.LOCKED)
ACQUIRE_READ = Op(Kind.ACQUIRE_READ)
RELEASE_READ = Op(Kind.RELEASE_READ)
ACQUIRE_WRITE = Op(Kind.ACQUIRE_WRITE)
RELEASE_WRITE = Op(Kind.RELEASE_WRITE)
WAIT = Op(Kind.WAIT)
SLEEP = Op(Kind.WAIT)
"""A thread inside ``wait`` that nobody has notified; never executed."""
NOTIFY = Op(Kind.NOTIFY)
NOTIFY_ALL = Op(Kind.NOTIFY_ALL)
DOWN = Op(Kind.DOWN)
TRY_DOWN = Op(Kind.TRY_DOWN)
UP = Op(Kind.UP)
WAIT_UNTIL = Op(Kind.WAIT_UNTIL)


def object_name(op: Op, obj: Any) -> str:
    """How a schedule names what ``op`` is done to."""
    return f"{obj.label()}.{op.field}" if op.is_field else str(obj.label())


def racing(op: Op, obj: Any, other: Op, other_obj: Any) -> bool:
    """Whether two operations of different threads do not commute."""
    if obj is not other_obj:
        return False
    if op.is_field:
        return op.field == other.field and (op.writes or other.writes)
    return op.writes or other.writes
