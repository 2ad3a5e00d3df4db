"""Events as exhaustive search sees them: what they touch, and which do not commute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..trace import Kind, Op

Key = tuple[Any, str]

_READS = {Kind.READ, Kind.LOCKED, Kind.ACQUIRE_READ, Kind.RELEASE_READ}
ACQUIRES = {Kind.ACQUIRE, Kind.ACQUIRE_READ, Kind.ACQUIRE_WRITE}
RELEASES = {Kind.RELEASE, Kind.RELEASE_READ, Kind.RELEASE_WRITE, Kind.WAIT}


class Event:
    """One step: thread index, operation, and the keys it reads and writes.

    Keys are made of creation numbers, so they are the same in every
    execution.  ``count`` is a semaphore's count before the step, ``sent`` the
    event in the words of ``parts``, once it has been sent.
    """

    __slots__ = ("count", "ident", "kind", "op", "proc", "reads", "sent", "writes")

    sent: tuple[int, tuple[Key, ...], tuple[Key, ...]]

    def __init__(self, proc: int, op: Op, ident: Any) -> None:
        self.proc, self.op, self.kind, self.ident = proc, op, op.kind, ident
        self.reads: tuple[Key, ...] = ()
        self.writes: tuple[Key, ...] = ()
        self.count = 0


class Events:
    """Makes events, and keeps those that are the same in every execution.

    ``cpus`` has the key of each thread's processor that an interrupt can come
    to.  The thread's every step writes it, and so does what comes to it: an
    interrupt does not commute with the steps of the thread.
    """

    def __init__(self, cpus: Mapping[int, Key]) -> None:
        self._known: dict[tuple[int, Op, Any], Event] = {}
        self._cpus = cpus

    def of(self, proc: int, op: Op, obj: Any) -> Event:
        """The event of thread ``proc`` doing ``op`` on ``obj``."""
        if op.kind is Kind.WAIT_UNTIL:
            return self._predicate(proc, op, obj)
        ident = obj._rb_id
        known = self._known.get((proc, op, ident))
        if known is None:
            known = Event(proc, op, ident)
            key = (ident, op.field)
            if op.kind in _READS and not (op.is_field and op.conflicts):
                known.reads = (key,)
            elif op.kind is Kind.WAIT:
                known.writes = (key, (obj.lock._rb_id, ""))
            else:
                known.writes = (key,)
            if proc in self._cpus and self._cpus[proc] != key:
                known.writes += (self._cpus[proc],)
            self._known[proc, op, ident] = known
        elif op.conflicts and known.reads and op.is_field:
            # Only now has the field a value that its reader may change.
            known.writes, known.reads = known.reads + known.writes, ()
        if op.kind in (Kind.DOWN, Kind.UP, Kind.TRY_DOWN):
            counted = Event(proc, op, ident)
            counted.writes, counted.count = known.writes, obj.count
            return counted
        return known

    def _predicate(self, proc: int, op: Op, obj: Any) -> Event:
        event = Event(proc, op, None)
        event.reads = tuple(dict.fromkeys((o._rb_id, p.field) for p, o in obj.reads))
        if proc in self._cpus:
            event.writes = (self._cpus[proc],)
        return event


def dependent(a: Event, b: Event) -> bool:
    """Whether ``a`` and ``b`` do not commute."""
    if a.proc == b.proc:
        return True
    for key in a.writes:
        if key in b.writes or key in b.reads:
            return True
    return any(key in b.writes for key in a.reads)
