"""Which steps of other threads happen before a step, without the order of mutexes.

Two sections under locks can overlap only if neither has to end before the
other begins.  Which of them gets a mutex first is chance; these are not:
- a thread that ends a wait for a predicate comes after the writes that the
  predicate reads;
- a thread that takes a condition's lock after a notify comes after that notify: had
  it come before, it would have waited, if it waits at all;
- the nth thread to get through a semaphore that starts at m comes after n - m of the
  releases.  If there are more releases, which ones is chance: only what all the
  choices have in common is sure;
- a thread that gets past an event comes after some ``set`` of it: so after what all
  the sets so far have in common;
- what a thread does comes after its start, and before any join of it returns;
- a thread that leaves a barrier comes after all that arrived, unless it was ever broken.

With ``reads`` also: a thread that reads a field comes after the write of that
value.  This is used for the lock of an object that was made in a thread: only a
thread that has read a reference to it can take it.  For other locks it would order
too much: what a thread reads may change its path, and on the other path the two
sections may overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..trace import Kind, Op

Clock = list[int]
Known = tuple[int, ...]
"""By thread: how many of its steps have happened before; for the thread itself, how many it made."""

_OF_EVENTS = {Kind.PASS, Kind.SET}
_OF_BARRIERS = {Kind.ARRIVE, Kind.LEAVE, Kind.ABORT, Kind.RESET, Kind.TIMEOUT}
"""TIMEOUT: only a barrier's timeout has an effect (it breaks the barrier)."""


def learn(clock: Clock, other: Sequence[int]) -> None:
    """Raise ``clock`` to at least ``other`` in every entry."""
    for k, value in enumerate(other):
        if value > clock[k]:
            clock[k] = value


class HappensBefore:
    """Processes the steps of an execution in order; objects are distinguished by identity."""

    def __init__(self, threads: int, reads: bool) -> None:
        self._reads = reads
        self._clocks: list[Clock] = [[0] * threads for _ in range(threads)]
        self._left: dict[Any, Clock] = {}
        self._stored: dict[Any, list[Clock]] = {}
        self._ups: dict[int, list[Clock]] = {}
        self._downs: dict[int, int] = {}
        # For each barrier, the joined clock of those that arrived since the last one left; None once broken.
        self._came: dict[int, Clock | None] = {}
        self._leaving: set[int] = set()

    def known(self, i: int) -> Known:
        return tuple(self._clocks[i])

    def step(self, i: int, actor: Any, op: Op, obj: Any) -> None:
        """Process step ``op`` of thread ``i``; ``actor`` makes it: the thread, or an interrupt on it."""
        clock, kind = self._clocks[i], op.kind
        clock[i] += 1
        if op.is_field:
            self._field(clock, actor, op, obj)
        elif kind is Kind.WAIT_UNTIL:
            for read, thing in obj.reads:
                self._read(clock, actor.index, read, thing)
        elif kind in (Kind.UP, Kind.DOWN, Kind.TRY_DOWN):
            self._count(clock, op, obj)
        elif kind in _OF_EVENTS:
            self._event(clock, kind, id(obj))
        elif kind in _OF_BARRIERS:
            self._barrier(clock, kind, id(obj))
        elif kind in (Kind.NOTIFY, Kind.NOTIFY_ALL):
            learn(self._left.setdefault(("told", id(obj.lock)), clock[:]), clock)
        elif kind is Kind.START:
            learn(self._clocks[obj.runner.index], clock)
        elif kind is Kind.END:
            self._left[id(obj), kind] = clock[:]
        elif kind is Kind.JOIN:
            learn(clock, self._left.get((id(obj), Kind.END), ()))
        elif kind is Kind.ACQUIRE or kind is Kind.TRY_ACQUIRE:
            learn(clock, self._left.get(("told", id(obj)), ()))
        elif kind is Kind.RELEASE:
            # A predicate of wait_until may ask whether the lock is held.
            self._left[id(obj), "", False] = clock[:]

    def _field(self, clock: Clock, actor: Any, op: Op, obj: Any) -> None:
        key = (id(obj), op.field, op.inside)
        if op.kind is Kind.STORE:
            self._stored.setdefault((actor.index, *key), []).append(clock[:])
        elif op.drains:
            self._left[key] = self._stored[(actor.source.index, *key)].pop(0)
        elif op.kind is Kind.READ and not op.conflicts and not op.inside:
            if self._reads:
                self._read(clock, actor.index, op, obj)
        elif op.inside or op.kind is Kind.READ or op.kind is Kind.UPDATE:
            # A container's contents, or a value that its reader may change: keep the clocks of all its users.
            if self._reads:
                self._read(clock, actor.index, op, obj)
            learn(self._left.setdefault(key, clock[:]), clock)
        else:
            self._left[key] = clock[:]

    def _read(self, clock: Clock, i: int, op: Op, obj: Any) -> None:
        key = (id(obj), op.field, op.inside)
        # A thread whose own store is still buffered reads that store, and learns nothing.
        if not self._stored.get((i, *key)):
            learn(clock, self._left.get(key, ()))

    def _event(self, clock: Clock, kind: Kind, event: int) -> None:
        known = self._left.get(("set", event))
        if kind is Kind.PASS:
            learn(clock, known or ())
        else:
            self._left["set", event] = clock[:] if known is None else list(map(min, known, clock))

    def _barrier(self, clock: Clock, kind: Kind, barrier: int) -> None:
        came = self._came.setdefault(barrier, clock[:])
        if kind is Kind.LEAVE:
            self._leaving.add(barrier)
            learn(clock, came or ())
        elif kind is not Kind.ARRIVE:
            self._came[barrier] = None
        elif came is not None:
            if barrier in self._leaving:
                came[:] = clock
            self._leaving.discard(barrier)
            learn(came, clock)

    def _count(self, clock: Clock, op: Op, semaphore: Any) -> None:
        kind, ups = op.kind, self._ups.setdefault(id(semaphore), [])
        downs, start = self._downs.get(id(semaphore), 0), getattr(semaphore, "initial", 0)
        if kind is Kind.UP:
            most = getattr(semaphore, "most", None)
            if most is None or start + len(ups) - downs + op.times <= most:
                ups.extend([clock[:]] * op.times)
            return
        if kind is Kind.TRY_DOWN and downs >= start + len(ups):
            return
        self._downs[id(semaphore)] = downs = downs + 1
        needed = downs - start
        if 0 < needed <= len(ups):
            learn(clock, [sorted(seen)[needed - 1] for seen in zip(*ups, strict=True)])
