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
from collections.abc import Callable, Sequence
from typing import Any

from .worker import Local, Worker

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


class Stores:
    """What the workers of a run store to delayed fields.

    ``namespace`` is that of the fields' accessors: its ``noise`` is a step that is no barrier.
    """

    def __init__(self, workers: Sequence[Worker], local: Local, namespace: dict[str, Any]) -> None:
        self._local, self._namespace = local, namespace
        self._kept = {worker: _Kept(worker) for worker in workers}
        namespace.update(load=self.load, store=self.store)
        for worker in workers:
            worker.function = self._emptied(self._kept[worker], worker.function)

    def _emptied(self, kept: _Kept, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        namespace = self._namespace

        def run(state: Any) -> Any:
            try:
                result = function(state)
                while kept and namespace["noisy"]:
                    # What is left drips away, so that others may come before it.
                    namespace["noise"]()
                return result
            finally:
                kept.all()

        return run

    def waiting(self, me: Worker) -> bool:
        """Whether ``me`` keeps anything back."""
        return bool(self._kept[me])

    def some(self, me: Worker) -> None:
        """At a step that is no barrier."""
        self._kept[me].some()

    def all(self, me: Worker) -> None:
        """At a barrier."""
        self._kept[me].all()

    # -- the accessors of delayed fields

    def load(self, obj: Any, slot: str) -> Any:
        me = self._local.worker
        if me is None:
            return obj.__dict__[slot]
        if self._namespace["noisy"]:
            self._namespace["noise"]()
        return self._kept[me].get(obj, slot)

    def store(self, obj: Any, slot: str, value: Any) -> None:
        me = self._local.worker
        if me is None:
            obj.__dict__[slot] = value
            return
        if self._namespace["noisy"]:
            self._namespace["noise"]()
        self._kept[me].put(obj, slot, value)
