"""Steps that come from who has no floor: a stranger, a thread that was set aside, one that unwinds."""

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
"""Steps that a thread may make while it unwinds: as many as the longest execution has."""


class Late(Numbers):
    """The part of the floor that sends them away."""

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
        """The calling thread makes the step ``what`` without the floor; returns if it has it after all."""
        task = self.workers.get(get_ident())
        if task is None:
            if self.ours:
                self.strangers.caught(what)
            return
        # The overseer may only be looking.
        with self.fork:
            if not task.out:
                return
        task.late += 1
        if task.late > _MOST_LATE:
            osthreads.sleep_for_ever()
        raise ThreadAbort

    def unwinding(self, me: Task) -> None:
        """``me`` makes a step though it was told to end: cleaning up, unless it goes on and on.

        Then its code catches every exception there is, and no other would help.  It has
        the floor, so it says so itself, gives the floor back and never wakes again.
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
