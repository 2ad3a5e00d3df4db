"""Towards one predicted ring: everybody holds, then everybody wants."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...trace import Kind

if TYPE_CHECKING:
    from ..controlled import Task

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
        edge = self.ring.get(task.name)
        if edge is None or task.op.kind not in _WANTS:
            return False
        held, wanted = edge
        return bool(task.obj.cls == wanted and any(lock.cls == held for lock, _, _ in task.held))
