"""Towards one predicted ring: everybody holds, then everybody wants."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...trace import Kind

if TYPE_CHECKING:
    from ..control.scheduler import Task

_WANTS = {Kind.ACQUIRE, Kind.ACQUIRE_READ, Kind.ACQUIRE_WRITE}


class Steering:
    """Threads of the ring stop where they hold their lock and want the next; others go on.

    ``ring`` maps a thread's name to the lock classes (held, wanted).
    """

    def __init__(self, ring: Mapping[str, tuple[str, str]], seed: int) -> None:
        self.ring = ring
        self._rng = random.Random(seed)

    def begin(self) -> None:
        """A new execution starts."""

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        free = [task for task in enabled if not self._there(task)] or enabled
        return free[int(self._rng.random() * len(free))]

    def _there(self, task: Task) -> bool:
        below = task.below
        edge = self.ring.get(task.name if below is None else below.name)
        if edge is None or task.op.kind not in _WANTS:
            return False
        held, wanted = edge
        return bool(task.obj.cls == wanted and any(lock.cls == held for lock in _held(task)))


class Striking:
    """The interrupt comes where its thread holds a lock of the class that it wants; else anybody."""

    def __init__(self, interrupt: str, thread: str, cls: str, seed: int) -> None:
        self.interrupt, self.thread, self.cls = interrupt, thread, cls
        self._rng = random.Random(seed)

    def begin(self) -> None:
        """A new execution starts."""

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        waiting = [t for t in enabled if t.name == self.interrupt and t.op.kind is Kind.INTERRUPT]
        free = enabled
        if waiting:
            below = waiting[0].below
            if below is not None and any(lock.cls == self.cls for lock, _, _ in below.held):
                return waiting[0]
            free = [task for task in enabled if task is not waiting[0]] or enabled
        return free[int(self._rng.random() * len(free))]


def _held(task: Task) -> list[Any]:
    """The locks of ``task``, and of the thread below it if it is an interrupt."""
    below = [] if task.below is None else task.below.held
    return [lock for lock, _, _ in (*below, *task.held)]
