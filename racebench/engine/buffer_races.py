"""Events, happens-before and races where threads have store buffers.

Beside the field that it writes, a buffer's WRITE is tied to the store that put
its value there, which it cannot come before, and to its thread's fences and
interrupts, which cannot come before it.  Each store has a key of its own, which
it writes and its WRITE reads; each thread has one that its WRITEs read and its
fences, and the interrupts that come to it, write.  So stores do not order each
other, nor do WRITEs to different fields.  None of these orders can be reversed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..trace import Kind, Op
from .buffers import Fifo
from .events import Event, Events, Key
from .interrupt_races import InterruptedHistory
from .races import History, Ready


class BufferedEvents(Events):
    """Events of a program with store buffers; ``fifos`` has them by their actor's index."""

    def __init__(self, cpus: Mapping[int, Key], fifos: Mapping[int, Fifo]) -> None:
        super().__init__(cpus)
        self._fifos = fifos

    def of(self, proc: int, op: Op, obj: Any) -> Event:
        if op.kind is Kind.STORE:
            fifo = obj._rb_fifos[proc, op.field]
            event = Event(proc, op, obj._rb_id)
            event.writes = (_store(fifo, fifo.made),)
            if proc in self._cpus:
                event.writes += (self._cpus[proc],)
            return event
        if op.drains:
            fifo = self._fifos[proc]
            event = Event(proc, op, obj._rb_id)
            event.writes = ((obj._rb_id, op.field),)
            event.reads = (_store(fifo, fifo.done), (fifo.buffer._rb_id, ""))
            return event
        event = super().of(proc, op, obj)
        if op.kind is Kind.INTERRUPT and len(event.writes) == 1:
            event.writes += ((obj.task.buffer._rb_id, ""),)
        return event


def _store(fifo: Fifo, n: int) -> Key:
    return (fifo.actor.index, n), "store"


class _Buffered(History):
    def _races_after(self, before: int, event: Event, ready: Ready) -> Iterator[int]:
        if event.op.drains:
            before |= self._access(event.reads[0]).before_write
        elif event.kind is Kind.FENCE:
            before |= self._access(event.writes[0]).before_reads
        return super()._races_after(before, event, ready)


class BufferedHistory(_Buffered):
    """History for a program with store buffers."""


class BufferedInterruptedHistory(_Buffered, InterruptedHistory):
    """History for a program with store buffers and interrupts."""
