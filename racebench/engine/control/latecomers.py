"""Steps from a thread without the floor: a stranger, a thread that was set aside, one that unwinds."""

from __future__ import annotations

import threading
from threading import get_ident

from ...errors import ThreadAbort
from ...program import Program
from .. import osthreads
from ..blind_spots import BlindSpots
from ..numbering import Numbers
from ..strangers import Strangers
from .task import Task

_MOST_LATE = 10_000
"""The number of steps that a thread may make while it unwinds: that of the longest execution."""


class Late(Numbers):
    """The part of the floor that refuses their steps."""

    __slots__ = ("ending",)

    program: Program
    blind_spots: BlindSpots
    strangers: Strangers
    workers: dict[int, Task]
    ours: frozenset[int]
    fork: threading.Lock
    control: threading.Lock
    lost: list[str]
    ending: bool

    def not_running(self, what: str) -> None:
        """Refuse the step ``what`` of a caller without the floor; return if it has the floor after all."""
        task = self.workers.get(get_ident())
        if task is None:
            if self.ours:
                self.strangers.caught(what)
            return
        # The overseer may be only looking, without setting the task aside.
        with self.fork:
            if not task.out:
                return
        task.late += 1
        if task.late > _MOST_LATE:
            osthreads.sleep_for_ever()
        raise ThreadAbort

    def unwinding(self, me: Task) -> None:
        """Allow a step of ``me`` that was told to end: it cleans up, but may not go on for ever.

        After too many steps its code evidently catches every exception, and another one would not help.  It
        has the floor, so it reports this itself, gives the floor back and never wakes again.
        """
        me.late += 1
        if me.late <= _MOST_LATE:
            return
        self.blind_spots.say(
            f"{self.program.name}: {me.name} catches the exception that ends an execution, and goes on in "
            f"{osthreads.caller_site()}: catch Exception there, or raise it again"
        )
        me.alive = me.ready = False
        self.ending = True
        self.lost.append(me.name)
        self.current = None
        self.control.release()
        osthreads.sleep_for_ever()
