"""The watchdog of the free run: catches what is not a lock.

Deadlocks are known when their ring closes (waits.py).  This thread looks a
few times a second for what nothing announces: collisions whose last runner
left while others sleep, threads that go on stepping without an end, threads
that make no step and do not come back.  It reads progress without locks; a
stale read only delays it by one look.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from . import osthreads
from .stuck import hang_event, livelock_event

if TYPE_CHECKING:
    from .free import FreeRun, Worker

LOOK_S = 0.02
_GRACE_S = 0.5
_SAY_S = 0.01
_MUCH = 1 << 40


class Watchdog:
    """Watches the workers of ``run`` until closed."""

    def __init__(self, run: FreeRun, stall_s: float) -> None:
        self._run, self._stall_s = run, stall_s
        self._stop = threading.Event()
        self._seen: dict[Worker, tuple[int, int, float]] = {}
        self._thread = threading.Thread(target=self._watch, name="racebench-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        try:
            self._watch_on()
        except Exception as error:
            # Without a watchdog a hang would be for ever: end the run, and say why.
            self._run.watchdog_error = error
            self._run.end_early()

    def _watch_on(self) -> None:
        while not self._stop.wait(LOOK_S):
            if self._run.waits.sleepers:
                self._run.waits.settle_all()
            now = time.monotonic()
            for worker in self._run.workers:
                self._look(worker, now)

    def _look(self, worker: Worker, now: float) -> None:
        batch, slot, since = self._seen.get(worker, (-1, -1, now))
        if worker.idle or worker.obj is not None or (worker.batch, worker.slot) != (batch, slot):
            self._seen[worker] = (worker.batch, worker.slot, now)
            return
        if now - since < self._stall_s:
            return
        self._seen[worker] = (worker.batch, worker.slot, now)
        self._stalled(worker)

    def _stalled(self, worker: Worker) -> None:
        """``worker`` has been in one collision for too long: steps, or none?"""
        run, thread = self._run, worker.thread
        where = (worker.batch, worker.slot)
        run.set_noisy(True)
        # Whatever the worker makes of this, it is another number if it steps at all.
        worker.fuel = _MUCH
        self._stop.wait(0.05)
        if (worker.batch, worker.slot) != where or worker.idle:
            return
        if worker.fuel != _MUCH:
            event = livelock_event([worker.name], f"{self._stall_s:g} s", run.tick())
            worker.events.append((worker.slot, event))
            worker.aborted = True
        elif thread is not None:
            event = hang_event(worker, run.tick(), osthreads.stack_of(thread))
            worker.events.append((worker.slot, event))
            worker.aborted = True
            osthreads.interrupt(thread)
        # A program that stalls once mostly stalls again: end with what is known.
        run.stopping = True
        deadline = time.monotonic() + _GRACE_S
        while (worker.batch, worker.slot) == where and not worker.idle:
            if time.monotonic() > deadline:
                worker.lost = True
                break
            # Its count-down is no atomic step, and may overwrite what we say: say it until it is heard.
            worker.fuel = 0
            run.set_noisy(True)
            self._stop.wait(_SAY_S)
        run.end_early()
