"""The wait-for graph of the free-running engine.

Lock order: `Waits.mutex` is innermost; nothing blocks while it is held.

Why a cycle is seen exactly when it closes: a thread enters itself as waiting under the mutex, and then
walks from the lock that it wants to the owner, to the lock that the owner wants, and so on.  Of the
threads of a cycle one enters last.  The others entered before (the mutex orders their entries before its
walk), and each wrote itself as owner of what it holds before it entered, in its own program order.  So
the last one sees the whole cycle.

Why what it sees is true: an owner that is entered as waiting is asleep, or about to be, and cannot
release; its entry is removed only when it has got what it wanted, which no thread in the cycle can give
it.

Why a collision that is called stuck is stuck: first every worker is seen to be past it or entered as
waiting; both stay true while the mutex is held, and so none of them runs the program; then each is asked
what it waits for.  If they were asked one by one on the way, a worker could wait for a lock whose owner
releases it and passes before its turn comes.

Why a wait with a timeout is not part of this: it ends by itself, so a thread that waits for such a
waiter waits for a thread that moves, and the wait closes no cycle.  A mutex that is taken with a timeout
does not enter at all; any other wait with a timeout is a sleeper, for which ``Worker.waits`` is False.

Why no thread is woken wrongly: the last thread never goes to sleep.  It unwinds and releases what it
holds as any thread would; that wakes its predecessor, which finds itself aborted, releases in turn, and
so on round the cycle.  Only a parked thread has to be woken explicitly.

A mutex blocks by its real lock.  All other primitives are state machines that are only read or changed
under the mutex: a thread that cannot go on is parked in the same critical section, and the thread that
makes it possible performs the sleeper's operation for it, takes it off the sleepers and opens its gate.
So no thread is ever seen as waiting for what it has, or as running while it waits, and no wake-up comes
between the check and the sleep.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ...errors import ThreadAbort
from ...primitives.primitive import Effect, Primitive
from ...primitives.runtime import Outsider
from ..osthreads import caller_frame
from ..stuck import find_ring, is_closed, ring_fault, wait_fault
from .clock import patience
from .worker import Ticket, Worker


class Waits:
    """Which worker waits for what, in one stress run."""

    def __init__(
        self,
        workers: Sequence[Worker],
        on_block: Callable[[Worker], None],
        tick: Callable[[], int],
    ) -> None:
        self.mutex = threading.Lock()
        self.workers = workers
        self.sleepers: list[Worker] = []
        self.detect_ns: list[int] = []
        self._on_block = on_block
        self._tick = tick

    def enter(self, me: Worker, obj: Any) -> None:
        """Note that ``me`` is about to sleep on ``obj``; ThreadAbort if that sleep can never end."""
        with self.mutex:
            self._enter(me, obj)
        # Only after we are known as asleep, so that no thread is held back any more to wait for us.
        self._on_block(me)

    def _enter(self, me: Worker, obj: Any) -> None:
        started = time.perf_counter_ns()
        if me.aborted:
            raise ThreadAbort
        # It enters before the walk, both under one hold of the mutex: of a cycle's threads one enters last,
        # and that one finds all the others.
        me.obj = obj
        self.sleepers.append(me)
        # Without a GIL, reading the place from another thread's stack would have to stop all threads.
        frame = caller_frame(2)
        me.waits_at = None if frame is None else (frame.f_code, frame.f_lasti)
        ring = find_ring(me, _waits) if me.waits else None
        if ring is None or not is_closed(ring):
            self._look(me.slot)
        else:
            self._break(me, ring)
            self.detect_ns.append(time.perf_counter_ns() - started)
            del self.detect_ns[:-64]
        if me.aborted:
            self._leave(me)
            raise ThreadAbort

    def leave(self, me: Worker) -> None:
        """Note that ``me`` has what it wanted, or gives up."""
        with self.mutex:
            self._leave(me)

    def _leave(self, me: Worker) -> None:
        me.obj = None
        self.sleepers.remove(me)

    # -- state machines, all with the mutex but `sleep`

    def change(self, me: Worker, obj: Primitive, effect: Effect, arg: Any) -> Any:
        """Apply ``effect`` to ``obj``, then let the sleepers go on that can: first come, first served."""
        result = effect(me, arg)
        for worker in tuple(self.sleepers):
            ticket = worker.parked
            if worker.obj is obj and ticket is not None and obj.ready_for(worker):
                ticket.result, ticket.granted = ticket.effect(worker, ticket.arg), True
                self._leave(worker)
                self._poke(worker)
        return result

    def park(self, me: Worker, obj: Primitive, ticket: Ticket) -> None:
        """Note that ``me`` cannot go on, and is about to ``sleep``; ThreadAbort if it never could go on."""
        me.parked = ticket
        obj.enlist(me)
        try:
            self._enter(me, obj)
        except ThreadAbort:
            if me.parked is None:
                # Its gate was opened with all the others': close it, so that it is not found open later.
                me.gate.acquire()
            me.parked = None
            self.change(me, obj, obj.quit, None)
            raise

    def sleep(self, me: Worker, obj: Primitive, ticket: Ticket) -> Any:
        """Sleep, without the mutex, until a thread has done the operation of ``me``; return its result."""
        self._on_block(me)
        if ticket.timeout is None:
            me.gate.acquire()
        elif not me.gate.acquire(timeout=patience(ticket.timeout, me.rng)):
            with self.mutex:
                # Still parked: no thread has done the operation or opened the gate, and none can meanwhile.
                if me.parked is not None and obj.may_expire():
                    me.parked = None
                    self._leave(me)
                    return self.change(me, obj, obj.expire, None)
                # A thread has done it, or will do so soon: only an operation in progress delays a timeout.
                ticket.timeout = None
                if me.parked is not None:
                    self._look(me.slot)
            me.gate.acquire()
        if ticket.granted:
            return ticket.result
        with self.mutex:
            self._leave(me)
            self.change(me, obj, obj.quit, None)
        raise ThreadAbort

    def part_over(self, slot: int) -> None:
        """Check whether the others are stuck, since a thread has ended its part of collision ``slot``."""
        with self.mutex:
            self._look(slot)

    def look_at_all(self) -> None:
        """Check every collision in which a thread sleeps; for the watchdog."""
        with self.mutex:
            for slot in {w.slot for w in self.workers if w.obj is not None}:
                self._look(slot)

    def give_up(self, lost: Worker) -> None:
        """End the run without ``lost``: all sleepers unwind, and the locks that it holds are freed.

        If it comes back at this moment, a lock may be released twice; the second release is ignored.
        """
        with self.mutex:
            for worker in self.workers:
                if worker.obj is not None:
                    worker.aborted = True
                    self._poke(worker)
        for lock, _, _ in reversed(list(lost.held)):
            with suppress(RuntimeError):
                lock.abandon(lost)

    def _break(self, me: Worker, ring: list[Any]) -> None:
        """Break a deadlock; the evidence is copied first, since it changes once a thread unwinds."""
        fault = ring_fault(me, ring, self._tick())
        me.faults.append((me.slot, fault))
        for worker in ring:
            worker.aborted = True
            if worker is not me:
                self._poke(worker)

    def _look(self, slot: int) -> None:
        """Abort the sleepers of ``slot`` if no thread there can move any more; under the mutex.

        Daemons may wait for ever: if only daemons wait, that ends the collision and is no fault.
        """
        asleep = []
        for worker in self.workers:
            # A child belongs to one collision only.
            if worker.slot > slot or worker.idle or (worker.child and worker.slot != slot):
                continue
            if worker.slot < slot or not worker.waits or worker.aborted:
                return
            asleep.append(worker)
        # Only now, when all workers are known to be past or asleep, does an answer stay true.
        if not asleep or not all([worker.obj.stuck_for(worker) for worker in asleep]):
            return
        if not all(worker.daemon for worker in asleep):
            first = asleep[0]
            for worker in asleep:
                ring = find_ring(worker, _waits)
                if ring is not None:
                    # A cycle of locks that other threads could have released.
                    worker.faults.append((slot, ring_fault(worker, ring, self._tick())))
                    break
            known = [fault for w in self.workers for at, fault in w.faults if at == slot]
            first.faults.extend((slot, fault) for fault in wait_fault(asleep, known, self._tick()))
        for worker in asleep:
            worker.aborted = True
            self._poke(worker)

    @staticmethod
    def _poke(worker: Worker) -> None:
        """Wake a sleeper that no release will wake."""
        if worker.parked is not None:
            # Under the mutex: only a parked worker is granted anything, so its gate is opened only once.
            worker.parked = None
            worker.gate.release()
        elif isinstance(getattr(worker.obj, "owner", None), Outsider):
            # Setup left a mutex locked: no thread of the run would ever release it.
            worker.obj.abandon(worker)


def _waits(worker: Any) -> bool:
    return bool(worker.waits)
