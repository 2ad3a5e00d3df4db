"""Store buffers under control: a write to a delayed field waits for a step of its own.

Each thread and interrupt has, for each delayed field of each object, a first-in first-out buffer that is
an actor of its own: the search chooses when it makes its oldest value visible to all threads.  Such a
step is an ordinary WRITE of the field, at that place of the log.  It needs no OS thread: the thread that
has the floor performs it.

What is ordered, beside the accesses to the field itself:
- a store comes before the WRITE of its value, which it makes possible;
- a fence, and an interrupt that comes, come after every WRITE of what the thread stored before: they are
  not ready until its buffers are empty.
A read is a step on the field also when the reader's own buffer answers it, so that the WRITE may still
come before it, and another thread's after that.
A fence is a step only for a thread that has stored since its last one: that depends on what the thread
did, never on when its buffers ran empty.
"""

from __future__ import annotations

from typing import Any

from ...primitives import State, ops
from ...trace import Op
from ..delays import late
from ..instrument import SLOT
from .execution import Chooser
from .floor import Floor
from .task import Buffer, Fifo, Task


class Buffers:
    """All store buffers of one scheduler; the floor holder's."""

    def __init__(self, scheduler: Floor, fields: list[tuple[Any, str, str]]) -> None:
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
                actor = Task(len(threads) + len(made), f"{task.name}'s stores to {text}", None)
                actor.fifo = fifo = Fifo(actor, task.buffer, field)
                made.append(actor)
                task.buffer.fifos.append(fifo)
                self.of[ident][task.index, field] = self.fifos[actor.index] = fifo
        self.actors = made

    def reset(self) -> None:
        """Empty all buffers and forget the objects, before an execution."""
        for buffer in self.buffers:
            buffer.reset()
        for fifo in self.fifos.values():
            fifo.reset()

    def created(self, obj: Any) -> None:
        """Number ``obj``, and give it the buffers of its delayed fields."""
        self.scheduler.created(obj)
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
        """Return the thread's own latest store if it is still in the buffer, else what all threads see."""
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
        """Let the running thread go on once its buffers are empty."""
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
        """Make the oldest value of ``fifo`` visible, since its actor was chosen."""
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
        """Find out which tasks can go on, or come, after the buffer became empty or no longer is."""
        waited = [obj for obj in (buffer, buffer.task.cpu) if obj is not None]
        for task in self.scheduler.tasks:
            if any(task.obj is obj for obj in waited):
                task.ready = task.obj.ready_for(task)


class Draining:
    """A strategy that also performs the steps of the buffers that it chooses."""

    def __init__(self, buffers: Buffers, strategy: Chooser, always_ask: bool) -> None:
        self.buffers, self.strategy, self.always_ask = buffers, strategy, always_ask

    def begin(self) -> None:
        self.strategy.begin()

    def pick(self, enabled: list[Task], current: Task | None) -> Any:
        """Return the task that goes on; None if no task can after the steps of the buffers."""
        s = self.buffers.scheduler
        while s.enabled:
            chosen = s.enabled[0]
            if self.always_ask or len(s.enabled) > 1:
                chosen = self.strategy.pick(s.enabled, current)
            if chosen.fifo is None:
                return chosen
            self.buffers.drain(chosen.fifo)
            current = chosen
            # After this step the only threads that can go on may be sleepers.
            s.see_sleepers()
        return None
