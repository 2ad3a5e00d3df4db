"""The clock of a controlled execution; see ``primitives.clock``."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import ThreadAbort
from ...primitives import ops
from .floor import Floor
from .task import Task


class Clock:
    """The program's time, advanced only by sleeps and timeouts: a step advances or reads ``Floor.now``."""

    _rb_id = cls = name = "clock"

    def __init__(self, floor: Floor) -> None:
        self._s = floor

    def label(self) -> str:
        return self.name

    def ready_for(self, task: Task) -> bool:
        return True

    def owners_for(self, task: Task) -> Iterable[Task]:
        return ()

    def sleep(self, seconds: float) -> None:
        s = self._s
        me = s.caller()
        if me is not None:
            if s.closing and not me.aborted:
                me.op, me.obj, me.ready = ops.PAUSE, self, False
                s.endless = s.endless or me.name
                s.block_or_go(me)
            s.ask_again()
            s.point(ops.PAUSE, self)
            if me.aborted:
                raise ThreadAbort
        s.now += seconds

    def now(self) -> float:
        s = self._s
        s.point(ops.CLOCK, self)
        if s.relation is not None:
            s.relation.clocked()
        return s.now
