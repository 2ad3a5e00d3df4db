"""Equivalence classes of executions: a canonical hash of the partial order.

Two executions are equivalent when each can be turned into the other by
swapping neighbouring steps that commute (Mazurkiewicz).  A step's hash is made
of its thread's previous step and of the last steps that it depends on; the
last hash of every thread says which class it is.  Hashes hold within one
process only.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from ...trace import Kind, Op

MOST = 1 << 18
"""Classes remembered; beyond it a count of distinct ones is a lower bound."""


def class_of(log: list[tuple[Any, Op, Any]], threads: int) -> int:
    """The class of the execution with this ``log``, as a 64-bit hash."""
    last = [0] * threads
    writes: dict[Any, int] = {}
    reads: dict[Any, int] = {}
    written, unread = writes.get, reads.pop
    for task, op, obj in log:
        i = task.index
        if op.apart:
            if op.kind is Kind.WAIT_UNTIL:
                last[i] = hash((last[i], *[_read(writes, reads, o, p, last[i]) for p, o in obj.reads]))
            else:
                last[i] = _buffered(task, op, obj, last[i], writes, reads)
            continue
        ident = obj._rb_id
        key = (ident, op.field)
        if op.conflicts:
            mine = hash((last[i], id(op), ident, written(key, 0), unread(key, 0)))
            writes[key] = mine
            if op.nested:
                mine = _nested(op, obj, last, writes, reads, mine)
            last[i] = mine
        else:
            mine = last[i] = hash((last[i], id(op), ident, written(key, 0)))
            # Reads of one key commute: their sum does not tell their order.
            reads[key] = reads.get(key, 0) + mine & 0xFFFFFFFFFFFFFFFF
    return hash(tuple(last))


def _nested(
    op: Op, obj: Any, last: list[int], writes: dict[Any, int], reads: dict[Any, int], mine: int
) -> int:
    """A step that touches more: a wait its lock; an interrupt, coming and going, its processor's thread."""
    if op.kind is Kind.START:
        last[obj.runner.index] = hash((mine, last[obj.runner.index]))
    elif op.kind is Kind.WAIT:
        lock = (obj.lock._rb_id, "")
        mine = writes[lock] = hash((mine, writes.get(lock, 0), reads.pop(lock, 0)))
    else:
        below = obj.task.index
        mine = last[below] = hash((mine, last[below], reads.pop(obj.task.buffer, 0)))
    return mine


def _buffered(task: Any, op: Op, obj: Any, before: int, writes: dict[Any, int], reads: dict[Any, int]) -> int:
    """A step into a store buffer, out of one, or that waits for one to be empty.

    What a buffer's steps have in common is kept as if they read it, and its
    stores, oldest first, as if each wrote a place of its own.
    """
    if op.kind is Kind.FENCE:
        return hash((before, reads.pop(obj, 0)))
    if op.kind is Kind.STORE:
        fifo = obj._rb_fifos[task.index, op.field]
        mine = hash((before, obj._rb_id, op.field))
        made = writes[fifo, "made"] = writes.get((fifo, "made"), 0) + 1
        writes[fifo, made] = mine
        return mine
    fifo, key = task.fifo, (obj._rb_id, op.field)
    done = writes[fifo, "done"] = writes.get((fifo, "done"), 0) + 1
    mine = hash((before, obj._rb_id, op.field, writes[fifo, done], writes.get(key, 0), reads.pop(key, 0)))
    writes[key] = mine
    reads[fifo.buffer] = reads.get(fifo.buffer, 0) + mine & 0xFFFFFFFFFFFFFFFF
    return mine


def _read(writes: dict[Any, int], reads: dict[Any, int], obj: Any, op: Op, before: int) -> int:
    key = (obj._rb_id, op.field)
    mine = hash((before, obj._rb_id, op.field, writes.get(key, 0)))
    reads[key] = reads.get(key, 0) + mine & 0xFFFFFFFFFFFFFFFF
    return mine


class Classes:
    """Which classes were seen, up to ``MOST`` of them."""

    def __init__(self, threads: Sized) -> None:
        self._threads = threads
        self._seen: set[int] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def new(self, log: list[tuple[Any, Op, Any]]) -> bool:
        """Whether the execution is of a class not seen before."""
        found = class_of(log, len(self._threads))
        if found in self._seen:
            return False
        if len(self._seen) < MOST:
            self._seen.add(found)
        return True
