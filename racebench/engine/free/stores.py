"""Store buffers in the free run: a thread keeps its delayed stores back, and lets go of them at random.

A worker's stores are touched by that worker alone, and so by no lock: whoever
reads a delayed field looks into its own, then at the field.  What leaves a buffer
is written to the field by the thread that stored it, at its own later steps, as
it would write a field that is not delayed; what orders that against the reads
of others is, as there, the lock that both hold, or nothing.

Every step that fences first writes all that is kept back; so does a thread that
is about to sleep, since nobody could get at its stores then, and one that ends.

Unlike under control, a store leaves its buffer only at a step of its own thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ...primitives import Lock, RLock
from ...program import Program
from ..delays import delayed_fields
from .interrupts import InterruptedRun
from .run import FreeRun, Worker

_LET_GO = 0.25
"""How likely a step that does not fence lets the oldest store to one field go."""


class _Kept:
    """One worker's stores, oldest first, by object and slot; owned by the worker."""

    def __init__(self, me: Worker) -> None:
        self._rng = me.rng
        self._waiting: dict[tuple[int, str], tuple[Any, deque[Any]]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, obj: Any, slot: str, value: Any) -> None:
        # The entry keeps the object, so its id is not another's.
        self._waiting.setdefault((id(obj), slot), (obj, deque()))[1].append(value)

    def get(self, obj: Any, slot: str) -> Any:
        """What the worker itself sees."""
        known = self._waiting.get((id(obj), slot))
        return obj.__dict__[slot] if known is None else known[1][-1]

    def some(self) -> None:
        waiting = self._waiting
        if waiting and self._rng.random() < _LET_GO:
            at = int(self._rng.random() * len(waiting))
            key = list(waiting)[at]
            obj, values = waiting[key]
            obj.__dict__[key[1]] = values.popleft()
            if not values:
                del waiting[key]

    def all(self) -> None:
        """In any order of the fields: the last value of each is what stays."""
        waiting = self._waiting
        while waiting:
            (_, slot), (obj, values) = waiting.popitem()
            obj.__dict__[slot] = values[-1]


class _Buffered(FreeRun):
    """Over a free run: what its workers store to delayed fields."""

    steps_matter = True

    def __init__(self, program: Program, seed: int) -> None:
        super().__init__(program, seed)
        self.namespace.update(noise=self.field_step, load=self.load, store=self.store)
        self._kept = {worker: _Kept(worker) for worker in self.workers}
        for worker in self.workers:
            worker.function = self._emptied(worker, worker.function)
        for cls in (Lock, RLock):
            own = self.types[cls]
            self.types[cls] = type(own.__name__, (own,), {"_give_up": self._giving_up(own)})

    def _emptied(self, me: Worker, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        kept = self._kept[me]

        def run(state: Any) -> Any:
            try:
                result = function(state)
                while kept and self.namespace["noisy"]:
                    # What is left drips away, so that others may come before it.
                    self.field_step()
                return result
            finally:
                kept.all()

        return run

    def _giving_up(self, own: Any) -> Callable[[Any, Worker], None]:
        """How a lock is released, which makes no step when an exception comes through."""

        def give_up(lock: Any, me: Worker) -> None:
            self._kept[me].all()
            own._give_up(lock, me)

        return give_up

    # -- the accessors of delayed fields

    def load(self, obj: Any, slot: str) -> Any:
        me = self.local.worker
        if me is None:
            return obj.__dict__[slot]
        if self.namespace["noisy"]:
            self.field_step()
        return self._kept[me].get(obj, slot)

    def store(self, obj: Any, slot: str, value: Any) -> None:
        me = self.local.worker
        if me is None:
            obj.__dict__[slot] = value
            return
        if self.namespace["noisy"]:
            self.field_step()
        self._kept[me].put(obj, slot, value)

    # -- when they are let go

    def field_step(self) -> None:
        """A step that is no fence."""
        me = self.local.worker
        if me is not None:
            self._kept[me].some()
        super().step()

    def step(self) -> None:
        """A step of a primitive.  The noise comes first: others may, before it fences."""
        super().step()
        me = self.local.worker
        if me is not None:
            self._kept[me].all()

    def fence(self) -> None:
        me = self.local.worker
        if me is not None and self._kept[me]:
            self.maybe_step()
            self._kept[me].all()

    def about_to_wait(self, me: Worker) -> None:
        self._kept[me].all()
        super().about_to_wait(me)
        self._kept[me].all()


class BufferedRun(_Buffered):
    """A free run of a program with delayed fields."""


class BufferedInterruptedRun(_Buffered, InterruptedRun):
    """A free run of a program with delayed fields and interrupts."""

    def _handle(self, me: Worker, due: Any) -> None:
        kept = self._kept[me]
        kept.all()
        try:
            super()._handle(me, due)
        finally:
            kept.all()


def free_run(program: Program, seed: int) -> FreeRun:
    """The run that ``program`` needs."""
    if delayed_fields(program):
        return BufferedInterruptedRun(program, seed) if program.interrupts else BufferedRun(program, seed)
    return InterruptedRun(program, seed) if program.interrupts else FreeRun(program, seed)
