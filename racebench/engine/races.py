"""Happens-before over one execution, and its reversible races.

A race is a pair of dependent steps of different threads with nothing ordered
between them, which another schedule can have the other way round.  For locks
that is acquire against acquire: a release and the acquire that it lets in
cannot be swapped.  A thread that ends blocked races with its offer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ..trace import Kind
from .events import ACQUIRES, RELEASES, Event, Key

if TYPE_CHECKING:
    from .controlled import Task

Ready = Sequence[Sequence["Task"]]
"""For each step, the tasks that could move before it."""

_TAKES = {*ACQUIRES, Kind.TRY_ACQUIRE, Kind.DOWN, Kind.TRY_DOWN}
_WAKES = {Kind.WAIT, Kind.NOTIFY, Kind.NOTIFY_ALL}


class _Access:
    """The steps on one key so far: indices into the execution, and what came before them.

    ``write`` is the last write, -1 before there is one; ``before_write`` and
    ``before_reads`` have the steps up to it and up to the reads since, as bits.
    """

    __slots__ = ("acquires", "before_reads", "before_write", "read_acquires", "reads", "write", "writes")

    def __init__(self) -> None:
        self.write = -1
        self.before_write = self.before_reads = 0
        self.writes: list[int] = []
        self.reads: list[int] = []
        self.acquires: list[int] = []
        self.read_acquires: list[int] = []


class History:
    """What happens before what in one execution; grows step by step, and reports races.

    ``before[i]`` has a bit for step ``i`` and for each step that happens before it.
    """

    def __init__(self, threads: int) -> None:
        self.events: list[Event] = []
        self.before: list[int] = []
        self._last = [0] * threads
        self._seen: dict[Key, _Access] = {}
        self._sleeping: dict[Key, list[int]] = {}

    def add(self, event: Event, ready: Ready, races: bool) -> list[int]:
        """Append ``event``; the indices of the steps it races with if ``races``."""
        found = list(self.races_of(event, ready)) if races else []
        seen, proc, index = self._seen, event.proc, len(self.events)
        before = self._last[proc] | 1 << index
        for key in event.reads:
            access = seen.get(key)
            if access is None:
                access = seen[key] = _Access()
            before |= access.before_write
        for key in event.writes:
            access = seen.get(key)
            if access is None:
                access = seen[key] = _Access()
            before |= access.before_write | access.before_reads
        self.events.append(event)
        self.before.append(before)
        self._last[proc] = before
        for key in event.reads:
            access = seen[key]
            access.reads.append(index)
            access.before_reads |= before
            if event.kind is Kind.ACQUIRE_READ:
                access.read_acquires.append(index)
        for key in event.writes:
            access = seen[key]
            access.write = index
            access.writes.append(index)
            access.before_write = before
            access.before_reads = 0
            access.reads.clear()
            if event.kind in _TAKES:
                access.acquires.append(index)
                access.read_acquires.clear()
        if event.kind in _WAKES:
            self._wake(event, before)
        return found

    def _wake(self, event: Event, before: int) -> None:
        """A notification orders what it wakes after itself."""
        if event.kind is Kind.WAIT:
            self._sleeping.setdefault(event.writes[0], []).append(event.proc)
            return
        queue = self._sleeping.get(event.writes[0], [])
        n = len(queue) if event.kind is Kind.NOTIFY_ALL else 1
        for proc in queue[:n]:
            self._last[proc] |= before
        del queue[:n]

    def _access(self, key: Key) -> _Access:
        return self._seen.get(key) or _NOTHING

    def races_of(self, event: Event, ready: Ready) -> Iterator[int]:
        """Steps that ``event``, coming next, races with; ``ready[i]``: who could move before i."""
        return self._races_after(self._last[event.proc], event, ready)

    def _races_after(self, before: int, event: Event, ready: Ready) -> Iterator[int]:
        """As ``races_of``, with what happens ``before`` it."""
        if event.kind in ACQUIRES:
            return self._acquire_races(event, before)
        if event.kind is Kind.DOWN:
            return self._down_races(event, before)
        if event.kind is Kind.WAIT_UNTIL:
            return self._predicate_races(event, before, ready)
        return self._plain_races(event, before)

    def _unordered(self, i: int, before: int, proc: int) -> bool:
        return not before >> i & 1 and self.events[i].proc != proc

    def _plain_races(self, event: Event, before: int) -> Iterator[int]:
        candidates: list[int] = []
        for key in event.reads:
            candidates.append(self._access(key).write)
        for key in event.writes:
            access = self._access(key)
            candidates.append(access.write)
            candidates += access.reads
        if len(candidates) > 1:
            candidates = sorted(set(candidates), reverse=True)
        for i in candidates:
            if i >= 0 and self._unordered(i, before, event.proc):
                yield i
                before |= self.before[i]

    def _acquire_races(self, event: Event, before: int) -> Iterator[int]:
        access = self._access((event.reads or event.writes)[0])
        candidates = access.acquires[-1:]
        if event.kind is not Kind.ACQUIRE_READ:
            candidates += access.read_acquires
            candidates += [i for i in access.reads if self.events[i].kind is Kind.LOCKED]
        last = access.write
        if last >= 0 and self.events[last].kind not in RELEASES:
            candidates.append(last)
        for i in sorted(set(candidates), reverse=True) if len(candidates) > 1 else candidates:
            if self._unordered(i, before, event.proc):
                yield i

    def _down_races(self, event: Event, before: int) -> Iterator[int]:
        access = self._access(event.writes[0])
        last = access.write
        if last < 0:
            return
        if self.events[last].kind is Kind.UP and not self.events[last].count:
            # The count was 0: this UP let us in.  Go back to who took the last one.
            for i in reversed(access.acquires):
                if self._unordered(i, before, event.proc):
                    yield i
                    return
        elif self._unordered(last, before, event.proc):
            yield last

    def _predicate_races(self, event: Event, before: int, ready: Ready) -> Iterator[int]:
        """Every write that may have made the predicate false, or true, before we looked."""
        arrived = 1 + max((i for i, e in enumerate(self.events) if e.proc == event.proc), default=-1)
        writes = sorted({i for key in event.reads for i in self._access(key).writes}, reverse=True)
        for i in writes:
            if not self._unordered(i, before, event.proc):
                continue
            if i < arrived or any(task.index == event.proc for task in ready[i]):
                yield i
                if i >= arrived:
                    return

    def after(self, e: int, i: int) -> bool:
        """Whether step ``i`` happens after step ``e``."""
        return bool(self.before[i] >> e & 1)


_NOTHING = _Access()
