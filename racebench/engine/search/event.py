"""One step as the search sees it: what it reads and writes, and so with which steps it conflicts."""

from __future__ import annotations

from typing import Any

from ...primitives import ops
from ...trace import Kind, Op

Key = tuple[Any, Any]
"""(the identity of the object, the same in every execution; the field, or "")."""

State = Any
"""The state of an object before a step.

For a lock, the index of its holder (-1: none, -2: a thread that has ended or is outside the run).  For a
semaphore, the counts before and after.  For a wait, whether its thread holds the lock.  For a
notification, a set or a start, the threads that it wakes: (index, the step that it takes away or None)."""

NOTIFIES = {Kind.NOTIFY, Kind.NOTIFY_ALL, Kind.SET, Kind.START}
READS_AND_WRITES = {
    *(Kind.ACQUIRE_READ, Kind.REQUEST_READ, Kind.RELEASE_READ),
    *(Kind.ACQUIRE_WRITE, Kind.REQUEST_WRITE, Kind.RELEASE_WRITE),
}
_RARE = {*NOTIFIES, *READS_AND_WRITES}
TRIED = {
    *(ops.WAIT_UNTIL, ops.ENTER_READ, ops.ARRIVE, ops.ABORT, ops.RESET, ops.JOIN),
    *(ops.LEAVE, ops.LATE_LEAVE, ops.LATE_LEAVE.other),
}
"""The operations whose guard is not known from the partial order alone."""
_GUARDED = {*(ops.ACQUIRE, ops.DOWN, ops.GET, ops.ACQUIRE_READ, ops.ACQUIRE_WRITE), *TRIED}
_OFFERS = {ops.REQUEST_READ: ops.ASK_READ, ops.REQUEST_WRITE: ops.ASK_WRITE, ops.AWAIT: ops.ASK_EVENT}
_LATE = ops.LATE_ACQUIRE, ops.LATE_DOWN, ops.LATE_GET, ops.LATE_PASS, ops.LATE_LEAVE, ops.LATE_JOIN
_OFFERS |= {late: late.other or late for late in _LATE}


class Event:
    """One step: thread index, operation, the keys that it reads and writes.

    ``guard`` is the one of these keys that decides whether it is possible, None if it always is.
    ``offer`` is the operation, whatever may come of it; ``rare`` marks what PartialOrder treats apart.
    ``along``: the step is made along with its thread's step before (see ``quiet``).
    """

    __slots__ = ("along", "guard", "ident", "kind", "offer", "op", "proc", "rare", "reads", "writes")

    def __init__(
        self, proc: int, op: Op, ident: Any, reads: tuple[Key, ...], writes: tuple[Key, ...]
    ) -> None:
        self.proc, self.op, self.kind, self.ident = proc, op, op.does, ident
        self.reads, self.writes = reads, writes
        self.offer = _OFFERS.get(op, op)
        self.rare = op.does in _RARE
        self.along = False
        self.guard: Key | None = (reads or writes)[0] if op in _GUARDED and (reads or writes) else None


def dependent(a: Event, b: Event) -> bool:
    """Return whether ``a`` and ``b`` do not commute."""
    if a.proc == b.proc:
        return True
    for key in a.writes:
        if key in b.writes or key in b.reads:
            return True
    return any(key in b.writes for key in a.reads)
