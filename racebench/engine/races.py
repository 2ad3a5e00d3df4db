"""Happens-before over one execution, and its reversible races.

A race is a pair of dependent steps of different threads with nothing ordered
between them, which another schedule can have the other way round.  For locks
that is acquire against acquire: a release and the acquire that it lets in
cannot be swapped.  A thread that ends blocked races with its offer.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..trace import Kind
from .events import ACQUIRES, RELEASES, Event, Key

Clock = list[int]


class _Access:
    """The steps on one key so far: indices into the execution."""

    __slots__ = ("acquires", "read_acquires", "reads", "writes")

    def __init__(self) -> None:
        self.writes: list[int] = []
        self.reads: list[int] = []
        self.acquires: list[int] = []
        self.read_acquires: list[int] = []


class History:
    """Clocks of one execution; grows step by step, and reports the races of each."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self.events: list[Event] = []
        self.clocks: list[Clock] = []
        self._ordinal: list[int] = []
        self._last: list[Clock] = [[0] * threads for _ in range(threads)]
        self._seen: dict[Key, _Access] = {}
        self._sleeping: dict[Key, list[int]] = {}

    def add(self, event: Event, ready: list[frozenset[int]], races: bool) -> list[int]:
        """Append ``event``; the indices of the steps it races with if ``races``."""
        found = list(self.races_of(event, ready)) if races else []
        clock = list(self._last[event.proc])
        for key in event.reads:
            access = self._access(key)
            for i in access.writes[-1:]:
                _join(clock, self.clocks[i])
        for key in event.writes:
            access = self._access(key)
            for i in (*access.writes[-1:], *access.reads):
                _join(clock, self.clocks[i])
        clock[event.proc] += 1
        self._append(event, clock)
        return found

    def _append(self, event: Event, clock: Clock) -> None:
        index = len(self.events)
        self.events.append(event)
        self.clocks.append(clock)
        self._ordinal.append(clock[event.proc])
        self._last[event.proc] = clock
        for key in event.reads:
            access = self._access(key)
            access.reads.append(index)
            if event.kind is Kind.ACQUIRE_READ:
                access.read_acquires.append(index)
        for key in event.writes:
            access = self._access(key)
            access.writes.append(index)
            access.reads = []
            if event.kind in ACQUIRES or event.kind in (Kind.TRY_ACQUIRE, Kind.DOWN, Kind.TRY_DOWN):
                access.acquires.append(index)
                access.read_acquires = []
        self._wake(event, clock)

    def _wake(self, event: Event, clock: Clock) -> None:
        """A notification orders what it wakes after itself."""
        if event.kind is Kind.WAIT:
            self._sleeping.setdefault(event.writes[0], []).append(event.proc)
        elif event.kind in (Kind.NOTIFY, Kind.NOTIFY_ALL):
            queue = self._sleeping.get(event.writes[0], [])
            n = len(queue) if event.kind is Kind.NOTIFY_ALL else 1
            for proc in queue[:n]:
                woken = list(self._last[proc])
                _join(woken, clock)
                self._last[proc] = woken
            del queue[:n]

    def _access(self, key: Key) -> _Access:
        access = self._seen.get(key)
        if access is None:
            access = self._seen[key] = _Access()
        return access

    def races_of(self, event: Event, ready: list[frozenset[int]]) -> Iterator[int]:
        """Steps that ``event``, coming next, races with; ``ready[i]``: who could move before i."""
        before = self._last[event.proc]
        if event.kind in ACQUIRES:
            yield from self._acquire_races(event, before)
        elif event.kind is Kind.DOWN:
            yield from self._down_races(event, before)
        elif event.kind is Kind.WAIT_UNTIL:
            yield from self._predicate_races(event, before, ready)
        else:
            yield from self._plain_races(event, before)

    def _unordered(self, i: int, clock: Clock, proc: int) -> bool:
        other = self.events[i].proc
        return other != proc and self._ordinal[i] > clock[other]

    def _plain_races(self, event: Event, before: Clock) -> Iterator[int]:
        candidates = set[int]()
        for key in event.reads:
            candidates.update(self._access(key).writes[-1:])
        for key in event.writes:
            access = self._access(key)
            candidates.update(access.writes[-1:], access.reads)
        clock = list(before)
        for i in sorted(candidates, reverse=True):
            if self._unordered(i, clock, event.proc):
                yield i
                _join(clock, self.clocks[i])

    def _acquire_races(self, event: Event, before: Clock) -> Iterator[int]:
        reading = event.kind is Kind.ACQUIRE_READ
        access = self._access((event.reads or event.writes)[0])
        candidates = list(access.acquires[-1:])
        if not reading:
            candidates += access.read_acquires
            observers = [i for i in access.reads if self.events[i].kind is Kind.LOCKED]
            candidates += observers
        last = access.writes[-1:]
        if last and self.events[last[0]].kind not in RELEASES:
            candidates += last
        for i in sorted(set(candidates), reverse=True):
            if self._unordered(i, before, event.proc):
                yield i

    def _down_races(self, event: Event, before: Clock) -> Iterator[int]:
        access = self._access(event.writes[0])
        if not access.writes:
            return
        last = access.writes[-1]
        if self.events[last].kind is Kind.UP and not self.events[last].count:
            # The count was 0: this UP let us in.  Go back to who took the last one.
            for i in reversed(access.acquires):
                if self._unordered(i, before, event.proc):
                    yield i
                    return
        elif self._unordered(last, before, event.proc):
            yield last

    def _predicate_races(self, event: Event, before: Clock, ready: list[frozenset[int]]) -> Iterator[int]:
        """Every write that may have made the predicate false, or true, before we looked."""
        arrived = 1 + max((i for i, e in enumerate(self.events) if e.proc == event.proc), default=-1)
        writes = sorted({i for key in event.reads for i in self._access(key).writes}, reverse=True)
        for i in writes:
            if not self._unordered(i, before, event.proc):
                continue
            if i < arrived or event.proc in ready[i]:
                yield i
                if i >= arrived:
                    return

    def after(self, e: int, i: int) -> bool:
        """Whether step ``i`` happens after step ``e``."""
        return self.clocks[i][self.events[e].proc] >= self._ordinal[e]


def _join(clock: Clock, other: Clock) -> None:
    for i, value in enumerate(other):
        if value > clock[i]:
            clock[i] = value
