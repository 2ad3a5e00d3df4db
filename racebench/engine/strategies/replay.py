"""Strict replay of a recorded schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ReplayDiverged, ThreadAbort
from ...trace import Schedule, object_name

if TYPE_CHECKING:
    from ..control.scheduler import Task


class Replay:
    """The recorded thread, if it offers the recorded operation; else ReplayDiverged.

    A recording may stop in mid-execution (a deadlock, a crash); the execution
    is then ended there.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.length = len(schedule)
        self._at = 0

    def begin(self) -> None:
        self._at = 0

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        if self._at == len(self.schedule):
            raise ThreadAbort
        thread, op, obj = self.schedule[self._at]
        for task in enabled:
            if task.name == thread:
                if task.op.kind.value == op and object_name(task.op, task.obj) == obj:
                    self._at += 1
                    return task
                break
        raise self._diverged(enabled)

    def _diverged(self, enabled: list[Task]) -> ReplayDiverged:
        at = self._at
        offers = {t.name: (t.op.kind.value, object_name(t.op, t.obj)) for t in enabled}
        expected = self.schedule[at] if at < len(self.schedule) else None
        return ReplayDiverged(at, expected, offers, self.schedule[max(0, at - 5) : at])

    def check_done(self) -> None:
        """ReplayDiverged if the execution ended before the recording did."""
        if self._at < len(self.schedule):
            raise self._diverged([])
