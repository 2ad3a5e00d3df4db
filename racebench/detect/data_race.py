"""Two accesses to a field that nothing orders, one of them a write.

Happens-before with epochs, after FastTrack (Flanagan and Freund 2009), and
beside it the locks held, after Eraser (Savage et al. 1997), so that an alarm
names the lock that would have prevented it.  Locks, conditions, semaphores,
``wait_until`` and atomic fields order accesses.

A write to a delayed field is one where it leaves the store buffer: after its
store, before its thread's next fence, and else unordered with what its thread
does, other than its accesses to that field.

A field that is atomic and delayed is no race.  What its writer did before the
store comes before all that a reader does after it has read the field with the
value in it: as if Linux' WRITE_ONCE were C11's store-release, and READ_ONCE a
load-acquire.  What its writer had stored to other delayed fields comes before
only if a fence lies between, for only the fence makes those writes its own past.
So message passing, publication and Dekker's entry order what they protect if
their fences are there, and are races if one is missing that the model can feel.
- A reader whose own store still waits reads that, and learns nothing of others.
- A fence orders nothing by itself between threads, two of them neither.  A
  protocol in which both sides fence and then look (Dekker, Peterson, hazard
  pointers) is right because one of the two sees the other; who sees learns.
- Fields that are not delayed are seen at once, with or without a fence: say
  ``delayed`` of the data too where the fence before its publication is in doubt.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ..findings import Alarm
from ..trace import Execution, Kind, object_name
from .held import Held, Holding

RULE = "data_race"

_NUMBERS = re.compile(r"\[[^\]]*\]|[@#][^.]*")
_JOINS = {Kind.ACQUIRE_READ, Kind.ACQUIRE_WRITE}
_COUNTS = {Kind.UP, Kind.DOWN, Kind.TRY_DOWN}
_LEAVES = {Kind.RELEASE_READ, Kind.RELEASE_WRITE}

Clock = list[int]
Access = tuple[int, int, int, Holding]
"""(thread, its clock, step, locks held)."""


class _Variable:
    """The last write to a field, and the reads since."""

    __slots__ = ("reads", "write")

    def __init__(self) -> None:
        self.write: Access | None = None
        self.reads: dict[int, Access] = {}


def _raise(clock: Clock, other: Clock) -> None:
    """``clock`` knows from now on what ``other`` knows."""
    for k, value in enumerate(other):
        if value > clock[k]:
            clock[k] = value


def detect(execution: Execution) -> list[Alarm]:
    """The first race on each field in ``execution``."""
    return _Run(execution).go()


class _Run:
    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        n = execution.threads
        self.clocks: list[Clock] = [[0] * n for _ in range(n)]
        for i, clock in enumerate(self.clocks):
            clock[i] = 1
        self.held = Held(n)
        self.left: dict[Any, Clock] = {}
        self.variables: dict[tuple[Any, str], _Variable] = {}
        self.stored: dict[Any, list[Clock]] = {}
        self.counts: dict[Any, int] = {}
        self.behind = list(range(n))
        self.raced: dict[tuple[Any, str], tuple[Access, Access]] = {}
        self.spun = {
            (obj, op.field)
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
                self._synchronise(n, i, op.kind, obj)
            elif op.inside:
                # Two elements of one list are no one variable: which are the same is not known here.
                continue
            elif op.atomic:
                self._read(i, obj, op.field)
                if op.writes:
                    self._leave(i, (obj, op.field))
            else:
                self._access(n, i, op, obj)
        return [self._alarm(key, *pair) for key, pair in self.raced.items()]

    # -- ordering

    def _buffered(self, n: int, actor: Any, op: Any, obj: Any) -> None:
        i = actor.index
        if op.kind is Kind.FENCE:
            self._join(i, ("stores", i))
            return
        key = (actor.source.index if op.drains else i, obj, op.field)
        if op.kind is Kind.STORE:
            self.stored.setdefault(key, []).append(self.clocks[i][:])
            self.clocks[i][i] += 1
            return
        # A buffer is not another thread to the one whose stores it has.
        self.behind[i] = source = actor.source.index
        _raise(self.clocks[i], self.stored[key].pop(0))
        self.held.of[i] = self.held.of[source]
        if op.atomic:
            self._leave(i, (obj, op.field))
        else:
            self._access(n, i, op, obj)
        self._leave(i, ("stores", source))

    def _read(self, i: int, obj: Any, field: str) -> None:
        """``i`` reads what others left in a field, unless its own store to it still waits."""
        if not self.stored.get((i, obj, field)):
            self._join(i, (obj, field))

    def _join(self, i: int, key: Any) -> None:
        left = self.left.get(key)
        if left is not None:
            _raise(self.clocks[i], left)

    def _leave(self, i: int, key: Any) -> None:
        """What thread ``i`` did so far is before whatever joins ``key`` from now on."""
        clock = self.clocks[i]
        left = self.left.get(key)
        if left is None:
            self.left[key] = clock[:]
        else:
            _raise(left, clock)
        clock[i] += 1

    def _come(self, i: int, j: int) -> None:
        """``i`` goes on where ``j`` stops: an interrupt comes to a thread, or returns."""
        other = self.clocks[j]
        _raise(self.clocks[i], other)
        other[j] += 1

    def _synchronise(self, n: int, i: int, kind: Kind, obj: Any) -> None:
        if kind is Kind.WAIT_UNTIL:
            for op, read in obj.reads:
                if op.is_field:
                    self._read(i, read, op.field)
                else:
                    self._join(i, read)
            return
        if kind is Kind.INTERRUPT:
            self._come(i, obj.task.index)
            self._join(i, ("stores", obj.task.index))
        elif kind is Kind.RETURN:
            self._come(obj.task.index, i)
        elif kind in _COUNTS:
            self._count(i, kind, obj)
            return
        change = self.held.apply(n, i, kind, obj)
        if kind is Kind.RELEASE_READ and change:
            # Readers are not ordered among themselves, only before the next writer.
            self._leave(i, (obj, "readers"))
        elif kind in _LEAVES:
            self._leave(i, obj)
        elif change < 0:
            self._leave(i, obj.lock if kind is Kind.WAIT else obj)
        elif change > 0 or kind in _JOINS:
            self._join(i, obj)
            if kind is Kind.ACQUIRE_WRITE:
                self._join(i, (obj, "readers"))

    def _count(self, i: int, kind: Kind, semaphore: Any) -> None:
        count = self.counts.get(semaphore, getattr(semaphore, "initial", 0))
        if kind is Kind.UP:
            self.counts[semaphore] = count + 1
            self._leave(i, semaphore)
        elif count > 0 or kind is Kind.DOWN:
            self.counts[semaphore] = count - 1
            self._join(i, semaphore)

    # -- accesses

    def _access(self, n: int, i: int, op: Any, obj: Any) -> None:
        key = (obj, op.field)
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

    # -- what is told

    def _alarm(self, key: tuple[Any, str], first: Access, second: Access) -> Alarm:
        execution = self.execution
        name = object_name(execution.steps[first[2]][1], key[0])
        told, evidence = [], []
        for access in (first, second):
            actor, op, _ = execution.steps[access[2]]
            verb = "write" if op.writes else "read"
            place = execution.place(access[2])
            locks = [lock.label() for lock, _, _ in access[3]]
            held = f"with {', '.join(locks)} held" if locks else "with no lock held"
            told.append(f"{actor.name} {verb}s it{f' in {place}' if place else ''} {held}")
            evidence.append({"thread": actor.name, "op": verb, "site": place, "held": locks})
        advice = self._advice(key, first, second)
        story = f"{name}: {told[0]}, {told[1]}, and nothing orders the two"
        story += f"; what would: {advice}" if advice else "; no access to it holds a lock"
        signature = f"{RULE}: {_NUMBERS.sub('', name)}"
        return Alarm(RULE, signature, story, (first[2], second[2]), {"accesses": evidence, "lock": advice})

    def _advice(self, key: tuple[Any, str], first: Access, second: Access) -> str:
        """The lock that, held for both, would have prevented it."""
        one, two = (sorted({lock.label() for lock, _, _ in access[3]}) for access in (first, second))
        first_actor, second_actor = (self.execution.steps[a[2]][0].name for a in (first, second))
        if one and two:
            return f"{', '.join(one)} (as {first_actor}) or {', '.join(two)} (as {second_actor}) for both"
        if one or two:
            who = second_actor if one else first_actor
            return f"{' or '.join(one or two)}, taken by {who} too"
        guards: Counter[str] = Counter()
        held = Held(self.execution.threads)
        for n, (actor, op, obj) in enumerate(self.execution.steps):
            if not op.is_field:
                held.apply(n, actor.index, op.kind, obj)
            elif (obj, op.field) == key and n not in (first[2], second[2]):
                guards.update(lock.label() for lock, _, _ in held.of[actor.index])
        if guards:
            lock = min(guards, key=lambda k: (-guards[k], k))
            return f"{lock}, which other accesses to it hold"
        return ""
