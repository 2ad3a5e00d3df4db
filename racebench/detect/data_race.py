"""Data races: two accesses to a field, one of them a write, that nothing orders.

Happens-before with epochs, after FastTrack (Flanagan and Freund 2009), together
with the locks held, after Eraser (Savage et al. 1997), so that an alarm names the
lock that would have prevented the race.  Locks, conditions, semaphores,
``wait_until`` and atomic fields order accesses.

A write to a delayed field happens where it leaves the store buffer: after its
store and before its thread's next fence.  Nothing else orders it with the steps of
its thread, except the thread's accesses to that field.

A field that is both atomic and delayed has no data race.  What its writer did before
the store happens before all that a reader does after it has read that value from the
field: as if Linux' WRITE_ONCE were C11's store-release, and READ_ONCE a
load-acquire.  What the writer had stored to other delayed fields happens before
only if there is a fence between the stores, because only the fence puts those writes
into the writer's past.  So message passing, publication and Dekker's entry protocol
order the data that they protect if their fences are there; they are races if a fence
is missing whose absence the model can show.
- A reader whose own store still waits in its buffer reads that store, and learns
  nothing of other threads.
- A fence by itself orders nothing between threads, and neither do two fences.  A
  protocol in which both sides fence and then look (Dekker, Peterson, hazard
  pointers) is right because one side sees the other's store; the side that sees it
  is ordered after it.
- Other threads see fields that are not delayed at once, with or without a fence:
  declare the data ``delayed`` too if the fence before its publication is in doubt.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ..findings import Alarm
from ..trace import Execution, Kind, Op, object_name
from .happens_before import Clock, learn
from .locksets import Holding, Locksets
from .survey import survey

RULE = "data_race"

_NUMBERS = re.compile(r"\[[^\]]*\]|[@#][^.]*")
_JOINS = {Kind.ACQUIRE_READ, Kind.ACQUIRE_WRITE}
_COUNTS = {Kind.UP, Kind.DOWN, Kind.TRY_DOWN}
_QUEUES = {Kind.PUT, Kind.GET, Kind.TRY_GET}
_LEAVES = {Kind.RELEASE_READ, Kind.RELEASE_WRITE}
_HANDS_OVER = {Kind.SET, Kind.ARRIVE, Kind.LEAVE, Kind.ABORT, Kind.RESET, Kind.END}
_IS_HANDED = {Kind.PASS, Kind.LOOK, Kind.ARRIVE, Kind.LEAVE, Kind.JOIN}
"""Steps on events, barriers and threads that join its clock: all that was left there happened before."""

# Keys beside an object's fields (whose names are identifiers) and "" (the lock itself).
_READERS, _STORES = "its readers", "its stores"

Key = tuple[int, str]
"""What orders, or is accessed: an object's id (the execution keeps the object alive) and a part's name."""
Access = tuple[int, int, int, Holding]
"""(thread, its clock, step, locks held)."""


class _Variable:
    """The last write to a field, and the reads since."""

    __slots__ = ("reads", "write")

    def __init__(self) -> None:
        self.write: Access | None = None
        self.reads: dict[int, Access] = {}


def detect(execution: Execution) -> list[Alarm]:
    """The first race on each field in ``execution``."""
    known = survey(execution)
    return [] if known is not None and known.guarded else _Run(execution).go()


class _Run:
    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        n = execution.threads
        self.clocks: list[Clock] = [[0] * n for _ in range(n)]
        for i, clock in enumerate(self.clocks):
            clock[i] = 1
        self.held = Locksets(n)
        self.left: dict[Key, Clock] = {}
        self.variables: dict[Key, _Variable] = {}
        self.stored: dict[tuple[int, Key], list[Clock]] = {}
        self.counts: dict[int, int] = {}
        self.queued: dict[int, list[Clock]] = {}
        self.behind = list(range(n))
        self.raced: dict[Key, tuple[Access, Access]] = {}
        self.spun = {
            (id(obj), op.field)
            for _, waited, predicate in execution.steps
            if waited.kind is Kind.WAIT_UNTIL
            for op, obj in predicate.reads
        }

    def go(self) -> list[Alarm]:
        for n, (actor, op, obj) in enumerate(self.execution.steps):
            i = actor.index
            if op.apart and op.kind is not Kind.WAIT_UNTIL:
                self._buffered(n, actor, op, obj)
            elif not op.is_field:
                self._synchronise(n, i, op, obj)
            elif op.inside:
                # A use of a container: it is not known here whether two uses touch the same element.
                continue
            elif op.atomic:
                self._read(i, (id(obj), op.field))
                if op.writes:
                    self._leave(i, (id(obj), op.field))
            else:
                self._access(n, i, op, obj)
        return [self._alarm(key, *pair) for key, pair in self.raced.items()]

    # -- ordering

    def _buffered(self, n: int, actor: Any, op: Any, obj: Any) -> None:
        i = actor.index
        if op.kind is Kind.FENCE:
            self._join(i, (i, _STORES))
            return
        key = actor.source.index if op.drains else i, (id(obj), op.field)
        if op.kind is Kind.STORE:
            self.stored.setdefault(key, []).append(self.clocks[i][:])
            self.clocks[i][i] += 1
            return
        # A store buffer does not race with the thread whose stores it holds.
        self.behind[i] = source = actor.source.index
        learn(self.clocks[i], self.stored[key].pop(0))
        self.held.of[i] = self.held.of[source]
        if op.atomic:
            self._leave(i, (id(obj), op.field))
        else:
            self._access(n, i, op, obj)
        self._leave(i, (source, _STORES))

    def _read(self, i: int, key: Key) -> None:
        """Order ``i`` after the writes to a field, unless its own store to it is still in its buffer."""
        if not self.stored.get((i, key)):
            self._join(i, key)

    def _join(self, i: int, key: Key) -> None:
        left = self.left.get(key)
        if left is not None:
            learn(self.clocks[i], left)

    def _leave(self, i: int, key: Key) -> None:
        """Order all that thread ``i`` has done so far before whatever joins ``key`` later."""
        clock = self.clocks[i]
        left = self.left.get(key)
        if left is None:
            self.left[key] = clock[:]
        else:
            learn(left, clock)
        clock[i] += 1

    def _come(self, i: int, j: int) -> None:
        """Order ``i`` after ``j``: an interrupt starts on a thread, or returns to it."""
        other = self.clocks[j]
        learn(self.clocks[i], other)
        other[j] += 1

    def _synchronise(self, n: int, i: int, op: Op, obj: Any) -> None:
        kind = op.kind
        if kind is Kind.WAIT_UNTIL:
            for look, read in obj.reads:
                if look.is_field:
                    self._read(i, (id(read), look.field))
                else:
                    self._join(i, (id(read), ""))
            return
        if kind is Kind.INTERRUPT:
            self._come(i, obj.task.index)
            self._join(i, (obj.task.index, _STORES))
        elif kind is Kind.RETURN:
            self._come(obj.task.index, i)
        elif kind is Kind.START:
            self._come(obj.runner.index, i)
        elif kind in _COUNTS:
            self._count(i, op, obj)
            return
        elif kind in _QUEUES:
            self._queue(i, kind, id(obj))
            return
        elif kind in _HANDS_OVER or kind in _IS_HANDED:
            if kind in _IS_HANDED:
                self._join(i, (id(obj), ""))
            if kind in _HANDS_OVER:
                self._leave(i, (id(obj), ""))
            return
        change = self.held.apply(n, i, kind, obj)
        if kind is Kind.RELEASE_READ and change:
            # Readers are not ordered with each other, only before the next writer.
            self._leave(i, (id(obj), _READERS))
        elif kind in _LEAVES:
            self._leave(i, (id(obj), ""))
        elif change < 0:
            self._leave(i, (id(obj.lock if kind is Kind.WAIT else obj), ""))
        elif change > 0 or kind in _JOINS:
            self._join(i, (id(obj), ""))
            if kind is Kind.ACQUIRE_WRITE:
                self._join(i, (id(obj), _READERS))

    def _count(self, i: int, op: Op, semaphore: Any) -> None:
        key = id(semaphore)
        count = self.counts.get(key, getattr(semaphore, "initial", 0))
        if op.kind is Kind.UP:
            most = getattr(semaphore, "most", None)
            if most is None or count + op.times <= most:
                self.counts[key] = count + op.times
                self._leave(i, (key, ""))
        elif count > 0 or op.kind is Kind.DOWN:
            self.counts[key] = count - 1
            self._join(i, (key, ""))

    def _queue(self, i: int, kind: Kind, queue: int) -> None:
        """Order the thread that takes an item after the thread that put that item in."""
        waiting = self.queued.setdefault(queue, [])
        if kind is Kind.PUT:
            waiting.append(self.clocks[i][:])
            self.clocks[i][i] += 1
        elif waiting:
            learn(self.clocks[i], waiting.pop(0))

    # -- accesses

    def _access(self, n: int, i: int, op: Any, obj: Any) -> None:
        key = (id(obj), op.field)
        variable = self.variables.get(key)
        if variable is None:
            variable = self.variables[key] = _Variable()
        clock, behind = self.clocks[i], self.behind
        me: Access = (i, clock[i], n, self.held.of[i])
        write = variable.write
        if write is not None and write[1] > clock[write[0]] and behind[write[0]] != behind[i]:
            self.raced.setdefault(key, (write, me))
        if not op.writes:
            variable.reads[i] = me
            return
        for read in variable.reads.values():
            if read[1] > clock[read[0]] and behind[read[0]] != behind[i]:
                self.raced.setdefault(key, (read, me))
        variable.reads.clear()
        variable.write = me
        if key in self.spun:
            self._leave(i, key)

    # -- alarms

    def _alarm(self, key: Key, first: Access, second: Access) -> Alarm:
        execution = self.execution
        _, op, obj = execution.steps[first[2]]
        name = object_name(op, obj)
        accesses, evidence = [], []
        for access in (first, second):
            actor, op, _ = execution.steps[access[2]]
            verb = "write" if op.writes else "read"
            place = execution.place(access[2])
            locks = [lock.label() for lock, _, _ in access[3]]
            held = f"holding {' and '.join(locks) or 'no lock'}"
            accesses.append(f"{actor.name} {verb}s it{f' in {place}' if place else ''} {held}")
            evidence.append({"thread": actor.name, "op": verb, "site": place, "held": locks})
        advice = self._advice(key, first, second)
        story = (
            f"{name}: {', and '.join(accesses)}: {self._common(first, second)}, and nothing orders the two"
        )
        story += f". What would: {advice}" if advice else ""
        signature = f"{RULE}: {_NUMBERS.sub('', name)}"
        return Alarm(RULE, signature, story, (first[2], second[2]), {"accesses": evidence, "lock": advice})

    def _common(self, first: Access, second: Access) -> str:
        """What the locks held by both accesses say, in words."""
        one, two = ({lock.label() for lock, _, _ in access[3]} for access in (first, second))
        if one & two:
            return f"both hold {' and '.join(sorted(one & two))}, but not exclusively"
        return "no lock is held by both" if one or two else "neither holds a lock"

    def _advice(self, key: Key, first: Access, second: Access) -> str:
        """The lock that would have prevented the race if both accesses had held it."""
        one, two = (sorted({lock.label() for lock, _, _ in access[3]}) for access in (first, second))
        first_actor, second_actor = (self.execution.steps[a[2]][0].name for a in (first, second))
        if one and two:
            return f"{', '.join(one)} (as {first_actor}) or {', '.join(two)} (as {second_actor}) for both"
        if one or two:
            who = second_actor if one else first_actor
            return f"{' or '.join(one or two)}, taken by {who} too"
        guards: Counter[str] = Counter()
        held = Locksets(self.execution.threads)
        for n, (actor, op, obj) in enumerate(self.execution.steps):
            if not op.is_field:
                held.apply(n, actor.index, op.kind, obj)
            elif (id(obj), op.field) == key and n not in (first[2], second[2]):
                guards.update(lock.label() for lock, _, _ in held.of[actor.index])
        if guards:
            lock = min(guards, key=lambda k: (-guards[k], k))
            return f"{lock}, which other accesses to it hold"
        return ""
