"""The watchdog of the free run: it finds stalls that are not caused by locks.

Deadlocks are known when their cycle closes (waits.py).  This thread looks a few times a second for what
nothing announces: collisions whose last runner left while others sleep, threads that make steps without
end, threads that make no step and do not come back.  It reads progress without locks; a stale read only
delays it by one look.
"""

from __future__ import annotations

import threading
import time

from .. import osthreads
from ..stillness import REMEDY, Watch, frames_of, place_of
from ..stuck import hang_fault, livelock_fault
from .run import FreeRun
from .worker import Worker

LOOK_S = 0.02
_GRACE_S = 0.5
_SAY_S = 0.01
_MUCH = 1 << 40


class Watchdog:
    """Watches the workers of ``run`` until closed."""

    def __init__(self, run: FreeRun, stall_s: float) -> None:
        self._run, self._stall_s = run, stall_s
        self._stop = threading.Event()
        self._watches: dict[Worker, Watch] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = osthreads.started(self._watch, "watchdog")

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        try:
            self._watch_on()
        except Exception as error:
            # Without a watchdog a hang would last for ever: end the run, and report why.
            self._run.watchdog_error = error
            self._run.end_early()

    def _watch_on(self) -> None:
        # A predicate of wait_until is evaluated by the thread that checks it.
        self._run.allowed.add(threading.get_ident())
        while not self._stop.wait(LOOK_S):
            if self._run.waits.sleepers:
                self._run.waits.look_at_all()
            # A thread of the program may hire one more at any moment: only those looked at are judged.
            everyone = tuple(self._run.everyone)
            for worker in everyone:
                self._look(worker)
            for worker in everyone:
                self._judge(worker)

    def _look(self, worker: Worker) -> None:
        mark = (worker.batch, worker.slot)
        at_rest = worker.idle or worker.obj is not None
        self._watches.setdefault(worker, Watch(self._stall_s)).look(
            worker.clock, object() if at_rest else mark
        )

    def _judge(self, worker: Worker) -> None:
        """Handle ``worker`` if it will not go on; one that blocks may wait for any other that still moves."""
        watch = self._watches[worker]
        if watch.blocks:
            if not all(self._has_stopped(w) for w in self._run.everyone):
                return
        elif not watch.still:
            return
        blocks = watch.blocks
        self._watches[worker] = Watch(self._stall_s)
        self._stalled(worker, blocks)

    def _has_stopped(self, worker: Worker) -> bool:
        """Return whether it rests or blocks; a worker hired since the last look has only begun."""
        if worker.idle or worker.obj is not None:
            return True
        watch = self._watches.get(worker)
        return watch is not None and watch.blocks

    def _stalled(self, worker: Worker, blocks: bool = False) -> None:
        """Find out whether ``worker``, in one collision for too long, makes steps; then end the run."""
        run, thread = self._run, worker.thread
        where = (worker.batch, worker.slot)
        run.set_noisy(True)
        # If the worker makes a step at all, this number changes.
        worker.fuel = _MUCH
        self._stop.wait(0.05)
        if (worker.batch, worker.slot) != where or worker.idle:
            return
        if worker.fuel != _MUCH:
            fault = livelock_fault([worker.name], f"{self._stall_s:g} s", run.tick())
            worker.faults.append((worker.slot, fault))
            worker.aborted = True
        elif thread is not None:
            self._hangs(worker, blocks)
            worker.aborted = True
            osthreads.interrupt(thread)
        # A program that stalls once mostly stalls again: end with what is known.
        run.stopping = True
        deadline = time.monotonic() + _GRACE_S
        while (worker.batch, worker.slot) == where and not worker.idle:
            if time.monotonic() > deadline:
                worker.lost = True
                run.waits.give_up(worker)
                break
            # The worker's count-down is not atomic and may overwrite this: repeat until it takes effect.
            worker.fuel = 0
            run.set_noisy(True)
            self._stop.wait(_SAY_S)
        run.end_early()

    def _hangs(self, worker: Worker, blocks: bool) -> None:
        """Report that ``worker`` makes no steps: that is a hang, unless it may go on later."""
        run = self._run
        frames = frames_of(worker.thread)
        place = place_of(frames)
        what = f"{worker.name} {place.described(blocks)}, which RaceBench does not see"
        others = ", ".join(run.strangers.alive())
        if place.ends or others:
            why = "; it may go on later"
            if others:
                why = f", perhaps for {others}, none of the program's threads"
            run.refusal = f"{run.program.name}: {what}{why}. {REMEDY}."
            return
        fault = hang_fault(worker, run.tick(), osthreads.stack_from(frames[0] if frames else None))
        fault.message = f"{worker.name} makes no steps and does not come back: it {what.partition(' ')[2]}."
        worker.faults.append((worker.slot, fault))
