"""The wait-for graph of the free-running engine.

Lock order: `Waits.mutex` is innermost; nothing blocks while it is held.

Why a ring is seen exactly when it closes: a thread enters itself as waiting
under the mutex, and then walks from what it wants to the owner, to what that
one wants, and so on.  Of the threads of a ring one enters last.  The others
entered before (the mutex orders their entries before its walk), and each
wrote itself as owner of what it holds before it entered, in its own program
order.  So the last one sees the whole ring.

Why what it sees is true: an owner that is entered as waiting is asleep, or
about to be, and cannot release; its entry is removed only when it has got
what it wanted, which nobody in the ring can give it.

Why a collision that is called stuck is: first every worker is seen to be past
it or entered as waiting, which both stay so while the mutex is held, and so none
of them runs the program; then each is asked what it waits for.  Asked on the
way, one could wait for a lock whose owner lets go of it and passes before its
turn comes.

Why a wait with a timeout is no part of this: it ends by itself, so who waits for it waits
for somebody who moves, and it closes no ring.  A mutex that is taken with a timeout does
not enter at all; any other is a sleeper, which ``waits`` says is none.

Why nobody is woken by a lie: the last thread never goes to sleep.  It unwinds
and releases what it holds as anybody would; that wakes its predecessor, which
finds itself aborted, releases in turn, and so on round the ring.  Only who is
parked has to be poked.

A mutex blocks by its real lock.  All other primitives are state machines that are
only looked at or changed with the mutex: who cannot go on is parked in the same
breath, and whoever makes it possible does for the sleeper what that wanted, takes
it off the sleepers and opens its gate.  So nobody is ever seen as waiting for what
it has, or as running while it waits, and no wake-up comes between a look and a sleep.
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
    """Who waits for what, over the workers of one stress run."""

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
        """``me`` is about to sleep on ``obj``; ThreadAbort if that can never end."""
        with self.mutex:
            self._enter(me, obj)
        # Known as asleep first, so that nobody is held back any more to wait for us.
        self._on_block(me)

    def _enter(self, me: Worker, obj: Any) -> None:
        started = time.perf_counter_ns()
        if me.aborted:
            raise ThreadAbort
        # Entered before the walk, and both in one hold of the mutex: of a ring's threads one enters last,
        # and that one finds all the others.
        me.obj = obj
        self.sleepers.append(me)
        # To be told from its stack, all threads would have to stand still where there is no GIL.
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
        """``me`` has what it wanted, or gives up."""
        with self.mutex:
            self._leave(me)

    def _leave(self, me: Worker) -> None:
        me.obj = None
        self.sleepers.remove(me)

    # -- state machines, all with the mutex but `sleep`

    def change(self, me: Worker, obj: Primitive, effect: Effect, arg: Any) -> Any:
        """Do ``effect`` to ``obj``, and let those go on who then can: first come, first served."""
        result = effect(me, arg)
        for worker in tuple(self.sleepers):
            ticket = worker.parked
            if worker.obj is obj and ticket is not None and obj.ready_for(worker):
                ticket.result, ticket.granted = ticket.effect(worker, ticket.arg), True
                self._leave(worker)
                self._poke(worker)
        return result

    def park(self, me: Worker, obj: Primitive, ticket: Ticket) -> None:
        """``me`` cannot go on, and is about to ``sleep``; ThreadAbort if it never could."""
        me.parked = ticket
        obj.enlist(me)
        try:
            self._enter(me, obj)
        except ThreadAbort:
            if me.parked is None:
                # Its gate was opened with all the others': nobody is to find it open later.
                me.gate.acquire()
            me.parked = None
            self.change(me, obj, obj.quit, None)
            raise

    def sleep(self, me: Worker, obj: Primitive, ticket: Ticket) -> Any:
        """Until somebody has done for ``me`` what it wanted, and what came of that; without the mutex."""
        self._on_block(me)
        if ticket.timeout is None:
            me.gate.acquire()
        elif not me.gate.acquire(timeout=patience(ticket.timeout, me.rng)):
            with self.mutex:
                # Still parked, so nobody has done it, nor opened the gate, and with the mutex nobody will.
                if me.parked is not None and obj.may_expire():
                    me.parked = None
                    self._leave(me)
                    return self.change(me, obj, obj.expire, None)
                # Somebody has, or will before long: nothing lets a timeout wait but what is going on.
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
        """A thread has ended its part of collision ``slot``: are the others stuck for good?"""
        with self.mutex:
            self._look(slot)

    def look_at_all(self) -> None:
        """For the watchdog: look at every collision that somebody sleeps in."""
        with self.mutex:
            for slot in {w.slot for w in self.workers if w.obj is not None}:
                self._look(slot)

    def give_up(self, lost: Worker) -> None:
        """The run ends without ``lost``: all that sleep unwind, and what it holds is let go of.

        Should it come back just now, a lock may be released twice; the second time says nothing.
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
        """Copy the evidence first: once anybody unwinds, the story changes."""
        fault = ring_fault(me, ring, self._tick())
        me.faults.append((me.slot, fault))
        for worker in ring:
            worker.aborted = True
            if worker is not me:
                self._poke(worker)

    def _look(self, slot: int) -> None:
        """With the mutex: abort the sleepers of ``slot`` if nobody there can move any more.

        Daemons may wait for ever: if nobody else does, that ends the collision and is no fault.
        """
        asleep = []
        for worker in self.workers:
            # A child belongs to one collision only.
            if worker.slot > slot or worker.idle or (worker.child and worker.slot != slot):
                continue
            if worker.slot < slot or not worker.waits or worker.aborted:
                return
            asleep.append(worker)
        # Only now, with everybody known to be past or asleep, does an answer stay true.
        if not asleep or not all([worker.obj.stuck_for(worker) for worker in asleep]):
            return
        if not all(worker.daemon for worker in asleep):
            first = asleep[0]
            for worker in asleep:
                ring = find_ring(worker, _waits)
                if ring is not None:
                    # One of locks that others could have let go of.
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
            # With the mutex: nobody can grant what is no longer parked, so its gate is opened only once.
            worker.parked = None
            worker.gate.release()
        elif isinstance(getattr(worker.obj, "owner", None), Outsider):
            # Setup left a mutex locked: nobody in the run would ever release it.
            worker.obj.abandon(worker)


def _waits(worker: Any) -> bool:
    return bool(worker.waits)
