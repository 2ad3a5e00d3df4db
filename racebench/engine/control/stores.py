"""Store buffers under control: a write to a delayed field waits for a step of its own.

Each thread and interrupt has, for each delayed field of each object, a first-in
first-out buffer that is an actor of its own: the search chooses when it puts
its oldest value where all can see it.  Such a step is an ordinary WRITE of the
field, at that place of the log.  It needs no OS thread: whoever has the floor
performs it.

What is ordered, beside the accesses to the field itself:
- a store comes before the WRITE of its value, which it makes possible;
- a fence, and an interrupt that comes, come after every WRITE of what the thread
  stored before: they are not ready until its buffers are empty.
A read is a step on the field also when the reader's own buffer answers it, so
that the WRITE may still come before it, and another thread's after that.
A fence is a step only for a thread that has stored since its last one: that
depends on what the thread did, never on when its buffers ran empty.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ...primitives import Condition, Lock, RLock, RWLock, Semaphore, State
from ...trace import Kind, Op, Site
from ..delays import late
from ..instrument import SLOT
from ..numbering import Numbers
from . import ops

if TYPE_CHECKING:
    from .scheduler import Scheduler, Strategy, Task


class Buffer:
    """What one thread has stored: ``pending`` values are on the way to ``fifos``' fields.

    ``stored`` says that the thread has stored since its last fence.
    """

    __slots__ = ("_rb_id", "fifos", "pending", "stored", "task")

    cls = "stores"

    def __init__(self, task: Task) -> None:
        self.task = task
        self._rb_id = (self.cls, task.index)
        self.fifos: list[Fifo] = []
        self.reset()

    def reset(self) -> None:
        self.pending, self.stored = 0, False

    def label(self) -> str:
        return f"{self.task.name}'s stores"

    name = property(label)

    def ready_for(self, task: Task) -> bool:
        return not self.pending

    def owners_for(self, task: Task) -> Iterable[Task]:
        return ()


class Fifo:
    """The stores of one thread to one delayed field of one object.

    ``into`` and ``op`` are the object, as it is in this execution, and the WRITE.
    ``made`` and ``done`` count stores and WRITEs in this execution; a recorded
    one has the place of each store in ``places``.
    """

    __slots__ = ("actor", "buffer", "done", "field", "into", "made", "op", "places", "values")

    def __init__(self, actor: Task, buffer: Buffer, field: str) -> None:
        self.actor, self.buffer, self.field = actor, buffer, field
        self.op = Op(Kind.WRITE, field, drains=True)
        self.values: deque[Any] = deque()
        self.places: deque[tuple[Site, ...]] = deque()
        self.into: Any = None
        self.made = self.done = 0

    def reset(self) -> None:
        self.values.clear()
        self.places.clear()
        self.made = self.done = 0
        actor = self.actor
        actor.op, actor.obj, actor.ready, actor.alive = self.op, None, False, False


class Buffers:
    """All store buffers of one scheduler; owned by the floor holder."""

    def __init__(self, scheduler: Scheduler, fields: list[tuple[Any, str, str]], make: Any) -> None:
        self.scheduler = scheduler
        self.of: dict[Any, dict[tuple[int, str], Fifo]] = {ident: {} for ident, _, _ in fields}
        self.fifos: dict[int, Fifo] = {}
        self.buffers: list[Buffer] = []
        made: list[Task] = []
        threads = scheduler.tasks
        for task in threads:
            task.buffer = Buffer(task)
            self.buffers.append(task.buffer)
            for ident, field, text in fields:
                actor = make(len(threads) + len(made), f"{task.name}'s stores to {text}", None)
                actor.fifo = fifo = Fifo(actor, task.buffer, field)
                made.append(actor)
                task.buffer.fifos.append(fifo)
                self.of[ident][task.index, field] = self.fifos[actor.index] = fifo
        self.actors = made

    def reset(self) -> None:
        """Before an execution: nothing is stored, and no object is known yet."""
        for buffer in self.buffers:
            buffer.reset()
        for fifo in self.fifos.values():
            fifo.reset()

    def created(self, obj: Any) -> None:
        """Number ``obj``, and give it the buffers of its delayed fields."""
        s = self.scheduler
        Numbers.created(s, obj)
        if not isinstance(obj, State) or not obj._rb_delayed:
            return
        fifos = self.of.get(obj._rb_id)  # type: ignore[attr-defined]
        if fifos is None or {field for _, field in fifos} != set(obj._rb_delayed):
            raise late(type(obj))
        obj.__dict__["_rb_fifos"] = fifos
        for fifo in fifos.values():
            fifo.into = fifo.actor.obj = obj
            fifo.op.atomic = obj._rb_fields[fifo.field].atomic

    # -- what the accessors of delayed fields do

    def load(self, op: Op, obj: Any) -> Any:
        """The thread's own latest store if it still waits, else what all see."""
        s = self.scheduler
        s.point(op, obj)
        me = s.current if s.current is not None else s.seeing
        if me is not None:
            fifo = obj._rb_fifos[me.index, op.field]
            if fifo.values:
                return fifo.values[-1]
        return obj.__dict__[SLOT + op.field]

    def store(self, op: Op, obj: Any, value: Any) -> None:
        s = self.scheduler
        me = s.caller(obj)
        if me is None or me.aborted:
            obj.__dict__[SLOT + op.field] = value
            return
        s.point(op, obj)
        fifo = obj._rb_fifos[me.index, op.field]
        fifo.values.append(value)
        fifo.made += 1
        fifo.actor.ready = True
        if s.recorder is not None:
            s.recorder.stored(fifo.places, value)
        buffer = fifo.buffer
        buffer.stored = True
        buffer.pending += 1
        if buffer.pending == 1:
            self._changed(buffer)
        s.refresh()

    def fence(self) -> None:
        """The running thread goes on once its buffers are empty."""
        s = self.scheduler
        me = s.caller()
        if me is None or me.aborted or me.buffer is None or not me.buffer.stored:
            return
        buffer = me.buffer
        buffer.stored = False
        me.op, me.obj, me.ready = ops.FENCE, buffer, not buffer.pending
        s.block_or_go(me)
        me.obj = None

    # -- the steps of the buffers

    def drain(self, fifo: Fifo) -> None:
        """``fifo``'s actor was chosen: its oldest value becomes visible."""
        s, actor, obj = self.scheduler, fifo.actor, fifo.into
        if s.recorder is not None:
            s.recorder.step(actor, fifo.op, obj)
        s.log.append((actor, fifo.op, obj))
        obj.__dict__[SLOT + fifo.field] = fifo.values.popleft()
        fifo.done += 1
        actor.ready = bool(fifo.values)
        buffer = fifo.buffer
        buffer.pending -= 1
        if not buffer.pending:
            self._changed(buffer)
        if s.watchers:
            s.recheck()
        s.refresh()

    def _changed(self, buffer: Buffer) -> None:
        """The buffer is empty, or no longer: see who can go on, or come."""
        waited = [obj for obj in (buffer, buffer.task.cpu) if obj is not None]
        for task in self.scheduler.tasks:
            if any(task.obj is obj for obj in waited):
                task.ready = task.obj.ready_for(task)


class Draining:
    """A strategy, with the steps of the buffers that it chooses done on the way."""

    def __init__(self, buffers: Buffers, strategy: Strategy, always_ask: bool) -> None:
        self.buffers, self.strategy, self.always_ask = buffers, strategy, always_ask

    def begin(self) -> None:
        self.strategy.begin()

    def pick(self, enabled: list[Task], current: Task | None) -> Any:
        """Who goes on; None if nobody can once the buffers have been at work."""
        s = self.buffers.scheduler
        while s.enabled:
            chosen = s.enabled[0]
            if self.always_ask or len(s.enabled) > 1:
                chosen = self.strategy.pick(s.enabled, current)
            if chosen.fifo is None:
                return chosen
            self.buffers.drain(chosen.fifo)
            current = chosen
        return None


# -- primitives that fence


class _FencedLock:
    def _take(self, me: Task, depth: int) -> bool:
        self._fence()  # type: ignore[attr-defined]
        return super()._take(me, depth + 1)  # type: ignore[misc, no-any-return]

    def _try(self, me: Task, depth: int = 3) -> bool:
        self._fence()  # type: ignore[attr-defined]
        return super()._try(me, depth + 1)  # type: ignore[misc, no-any-return]

    def release(self) -> None:
        self._fence()  # type: ignore[attr-defined]
        super().release()  # type: ignore[misc]


class _FencedCondition:
    lock: Any

    def wait(self) -> bool:
        self._fence()  # type: ignore[attr-defined]
        woken: bool = super().wait()  # type: ignore[misc]
        self.lock.held_from(sys._getframe(1))
        return woken


class _FencedSemaphore:
    def acquire(self, blocking: bool = True) -> bool:
        self._fence()  # type: ignore[attr-defined]
        return super().acquire(blocking)  # type: ignore[misc, no-any-return]

    def release(self) -> None:
        self._fence()  # type: ignore[attr-defined]
        super().release()  # type: ignore[misc]


class _FencedRWLock:
    def acquire_read(self) -> bool:
        self._fence()  # type: ignore[attr-defined]
        return super().acquire_read()  # type: ignore[misc, no-any-return]

    def acquire_write(self) -> bool:
        self._fence()  # type: ignore[attr-defined]
        return super().acquire_write()  # type: ignore[misc, no-any-return]

    def release_read(self) -> None:
        self._fence()  # type: ignore[attr-defined]
        super().release_read()  # type: ignore[misc]

    def release_write(self) -> None:
        self._fence()  # type: ignore[attr-defined]
        super().release_write()  # type: ignore[misc]


_FENCED: dict[type, type] = {
    Lock: _FencedLock,
    RLock: _FencedLock,
    RWLock: _FencedRWLock,
    Condition: _FencedCondition,
    Semaphore: _FencedSemaphore,
}


def fenced(types: dict[type, type], buffers: Buffers) -> dict[type, type]:
    """The engine's class for each primitive, as a program with store buffers needs it."""
    body = {"_fence": staticmethod(buffers.fence)}
    return {cls: type(own.__name__, (_FENCED[cls], own), dict(body)) for cls, own in types.items()}
