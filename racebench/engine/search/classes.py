"""Equivalence classes of executions: a canonical hash of the partial order.

Two executions are equivalent when each can be turned into the other by swapping neighbouring steps that
commute (Mazurkiewicz).  A step's hash is made of its thread's previous step and of the last steps that
it depends on; the last hashes of all threads together identify the class.  Hashes are valid within one
process only.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from ...trace import Kind, Op
from .matter import Matter

MOST = 1 << 18
"""Classes remembered; beyond it a count of distinct ones is a lower bound."""


_TRIED = 64
"""After about so many executions in a row without a repetition, repetitions are no longer looked for."""

_Cells = dict[Any, list[int]]
"""By object and field: the last write's hash, and the sum of the hashes of the reads since."""


def class_of(log: list[tuple[Any, Op, Any]], threads: int) -> int:
    """Return the class of the execution with this ``log``, as a 64-bit hash."""
    last = [0] * threads
    cells: _Cells = {}
    known = cells.get
    for task, op, obj in log:
        i = task.index
        if op.apart:
            if op.kind is Kind.WAIT_UNTIL:
                last[i] = hash((last[i], *[_read(cells, o, p, last[i]) for p, o in obj.reads]))
            else:
                last[i] = _buffered(task, op, obj, last[i], cells)
            continue
        ident = obj._rb_id
        key = ident, op.field
        cell = known(key)
        if cell is None:
            cell = cells[key] = [0, 0]
        written, read = cell
        if op.conflicts:
            mine = hash((last[i], op, ident, written, read))
            cell[0], cell[1] = mine, 0
            if op.nested:
                mine = _nested(op, obj, last, cells, mine)
            last[i] = mine
        else:
            mine = last[i] = hash((last[i], op, ident, written))
            # Reads of one key commute: a sum does not depend on their order.
            cell[1] = read + mine & 0xFFFFFFFFFFFFFFFF
    return hash(tuple(last))


def _cell(cells: _Cells, key: Any) -> list[int]:
    return cells.setdefault(key, [0, 0])


def _nested(op: Op, obj: Any, last: list[int], cells: _Cells, mine: int) -> int:
    """Hash a step that also touches a lock (a wait) or a thread (a start, an interrupt or its return)."""
    if op.kind is Kind.START:
        last[obj.runner.index] = hash((mine, last[obj.runner.index]))
    elif op.kind is Kind.WAIT:
        lock = _cell(cells, (obj.lock._rb_id, ""))
        mine = hash((mine, *lock))
        lock[0], lock[1] = mine, 0
    else:
        below = obj.task.index
        mine = last[below] = hash((mine, last[below], _emptied(cells, obj.task.buffer)))
    return mine


def _emptied(cells: _Cells, buffer: Any) -> int:
    """Return the hash of what came out of a buffer since the last call."""
    cell = _cell(cells, buffer)
    came, cell[1] = cell[1], 0
    return came


def _buffered(task: Any, op: Op, obj: Any, before: int, cells: _Cells) -> int:
    """Hash a step into a store buffer, out of one, or one that waits until a buffer is empty.

    What a buffer's steps have in common is kept as if they read it, and its stores, oldest first, as if each
    wrote a place of its own.
    """
    if op.kind is Kind.FENCE:
        return hash((before, _emptied(cells, obj)))
    if op.kind is Kind.STORE:
        fifo = obj._rb_fifos[task.index, op.field]
        mine = hash((before, obj._rb_id, op.field))
        made = _cell(cells, (fifo, "made"))
        made[0] += 1
        _cell(cells, (fifo, made[0]))[0] = mine
        return mine
    fifo, cell = task.fifo, _cell(cells, (obj._rb_id, op.field))
    done = _cell(cells, (fifo, "done"))
    done[0] += 1
    mine = hash((before, obj._rb_id, op.field, cells[fifo, done[0]][0], *cell))
    cell[0], cell[1] = mine, 0
    out = _cell(cells, fifo.buffer)
    out[1] = out[1] + mine & 0xFFFFFFFFFFFFFFFF
    return mine


def _read(cells: _Cells, obj: Any, op: Op, before: int) -> int:
    cell = _cell(cells, (obj._rb_id, op.field))
    mine = hash((before, obj._rb_id, op.field, cell[0]))
    cell[1] = cell[1] + mine & 0xFFFFFFFFFFFFFFFF
    return mine


class Classes:
    """The classes seen so far, up to ``MOST`` of them."""

    def __init__(self, threads: Sized) -> None:
        self._threads = threads
        self._seen: set[int] = set()
        self._traces: set[int] = set()
        self._matter = Matter()
        self._patience = _TRIED

    def __len__(self) -> int:
        return len(self._seen)

    def new(self, log: list[tuple[Any, Op, Any]], whole: bool = False) -> bool:
        """Return whether the execution is of a new class; ``whole``: all its threads have ended."""
        if whole and self._patience and self._repeats(log):
            return False
        found = class_of(log, len(self._threads))
        if found in self._seen:
            return False
        if len(self._seen) < MOST:
            self._seen.add(found)
        return True

    def _repeats(self, log: list[tuple[Any, Op, Any]]) -> bool:
        """Return whether the relevant steps were made before in this order; costs a third of ``class_of``."""
        trace = self._matter.of(log)
        if trace in self._traces:
            self._patience = min(_TRIED, self._patience + 2)
            return True
        self._patience -= 1
        if self._matter.learn(log):
            self._traces.clear()
        if not self._patience or self._matter.many:
            self._patience = 0
            self._traces.clear()
            self._matter = Matter()
        elif len(self._traces) < MOST:
            self._traces.add(self._matter.of(log))
        return False
