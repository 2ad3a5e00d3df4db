"""Threads that the program starts in a free run.

Each runs on a worker of a pool, in the collision of the thread that has started it.  What orders the
accesses: a worker is taken, given its collision and counted as ``living`` under ``Waits.mutex``, in the
step that starts it, so that collision is never judged without it; it is put back under the same mutex.
``go`` orders what is written to it before it runs.  Its ``faults`` are read once ``living`` is 0.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from ...errors import ProgramError, ThreadAbort
from ...primitives import Thread
from .. import osthreads
from ..stillness import own_clock
from ..stuck import error_fault
from .worker import Local, Worker

_MOST = 1_000


class Children:
    """The pool; ``everyone`` has all workers of the run, and each worker that is hired is added to it."""

    def __init__(self, name: str, everyone: list[Worker], local: Local, seed: int) -> None:
        self._program, self._everyone, self._local, self._seed = name, everyone, local, seed
        self._spare: list[Worker] = []
        self._made: Counter[Any] = Counter()
        self.mutex = threading.Lock()
        self.living = 0
        self.touched = False
        self._home = threading.Event()
        self.refuel: Callable[[Worker], None] = lambda me: None
        self.ended: Callable[[Worker], None] = lambda me: None
        self.part_over: Callable[[int], None] = lambda slot: None
        self.tick: Callable[[], int] = lambda: 0
        # The threads that setup has started, for each collision of the batch.
        self.waiting: list[list[Thread]] = []
        self._begun: list[Thread] = []

    # -- setup: the coordinator's, while the workers sleep

    def clear(self, recycled: int) -> None:
        """Start a new batch, in which ``recycled`` states are not made by setup."""
        self.waiting = [[] for _ in range(recycled)]

    def set_up(self) -> None:
        """Note that a setup is over: the threads that the next one starts are another collision's."""
        self.waiting.append(self._begun)
        self._begun = []
        self._made.clear()

    def enrol(self, thread: Thread) -> Worker | None:
        """Name ``thread`` after the thread that makes it, its function and a running number."""
        me = self._local.worker
        if me is None:
            who, made = "setup", self._made
        else:
            if me.made_in != (me.batch, me.slot):
                me.made.clear()
                me.made_in = me.batch, me.slot
            who, made = me.name, me.made
        made[thread.cls] += 1
        thread.called = f"{who}.{thread.cls}-{made[thread.cls]}"
        return me

    def spawn(self, thread: Thread) -> None:
        """Start ``thread`` within the current step; in setup keep it until its collision begins."""
        me = self._local.worker
        if me is None:
            self._begun.append(thread)
        else:
            self._launch(thread, me.batch, me.slot)

    def begin(self, me: Worker, slot: int) -> None:
        """Launch the threads that setup started for collision ``slot``, which the first worker begins."""
        for thread in self.waiting[slot]:
            with self.mutex:
                self._launch(thread, me.batch, slot)

    # -- the pool, with the mutex

    def _launch(self, thread: Thread, batch: int, slot: int) -> None:
        child = self._spare.pop() if self._spare else self._hired()
        thread.runner = child
        child.name, child.daemon, child.function = (
            thread.called,
            thread.daemon,
            lambda state: thread.perform(),
        )
        child.runs = thread
        child.batch, child.slot, child.irqs = batch, slot, True
        child.idle = False
        self.living += 1
        self._home.clear()
        self.refuel(child)
        child.filled = child.fuel
        child.go.release()

    def _hired(self) -> Worker:
        if len(self._everyone) >= _MOST:
            raise ProgramError(
                f"{self._program}: more than {_MOST:,} threads run at the same time. Start fewer."
            )
        child = Worker(len(self._everyone), "child", lambda state: None, self._seed)
        child.child = True
        self._everyone.append(child)
        child.thread = osthreads.started(self._local.run, f"child{child.index}", child, self._work)
        return child

    # -- what a child does

    def _work(self, me: Worker) -> None:
        me.clock = own_clock()
        while True:
            me.go.acquire()
            if me.function is None:
                return
            try:
                me.function(None)
            except ThreadAbort:
                pass
            except BaseException as error:
                if not me.aborted:
                    me.faults.append((me.slot, error_fault(me.name, error, self.tick())))
            if me.lost:
                return
            self.ended(me)
            slot = me.slot
            with self.mutex:
                self.touched = self.touched or me.fuel != me.filled
                me.aborted, me.idle = False, True
                self._spare.append(me)
                self.living -= 1
                if not self.living:
                    self._home.set()
            self.part_over(slot)

    def await_all(self, seconds: float) -> bool:
        """Wait at most ``seconds`` until all have ended; return whether they have.

        Called once no worker can start any more.
        """
        with self.mutex:
            if not self.living:
                return True
        return self._home.wait(seconds)
