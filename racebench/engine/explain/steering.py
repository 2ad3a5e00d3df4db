"""Steer executions towards one predicted deadlock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...trace import Kind
from ..control.task import Task
from ..strategies import Strategy

_WANTS = {Kind.ACQUIRE, Kind.ACQUIRE_READ, Kind.ACQUIRE_WRITE}


class Steering(Strategy):
    """Holds back threads of the ring where they hold their lock and want the next; others run.

    ``ring`` maps a thread's name to the lock classes (held, wanted).
    """

    def __init__(self, ring: Mapping[str, tuple[str, str]]) -> None:
        super().__init__(0, len(ring))
        self.ring = ring

    def pick(self, enabled: Sequence[Any], current: Any) -> Any:
        free = [task for task in enabled if not self._there(task)] or enabled
        return free[self.below(len(free))]

    def _there(self, task: Task) -> bool:
        below = task.below
        edge = self.ring.get(task.name if below is None else below.name)
        if edge is None or task.op.kind not in _WANTS:
            return False
        held, wanted = edge
        # An interrupt also holds the locks of the thread that it interrupts.
        locks = (*([] if below is None else below.held), *task.held)
        return bool(task.obj.cls == wanted and any(lock.cls == held for lock, _, _ in locks))


class Striking(Strategy):
    """Lets the interrupt come where its thread holds a lock of the class that it wants; else random."""

    def __init__(self, interrupt: str, cls: str) -> None:
        super().__init__(0, 1)
        self.interrupt, self.cls = interrupt, cls

    def pick(self, enabled: Sequence[Any], current: Any) -> Any:
        for task in enabled:
            if task.name == self.interrupt and task.op.kind is Kind.INTERRUPT:
                if any(lock.cls == self.cls for lock, _, _ in task.below.held):
                    return task
                enabled = [other for other in enabled if other is not task] or enabled
                break
        return enabled[self.below(len(enabled))]
