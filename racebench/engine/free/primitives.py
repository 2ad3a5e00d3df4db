"""The primitives as the free-running engine runs them: real locks that really block.

What each shared access is ordered by:
- ``Lock.owner`` and the owner's ``held`` are written by the thread that has the
  real lock.  Others read ``owner`` under ``Waits.mutex``; why a stale value
  does no harm is argued in waits.py.
- Condition, semaphore and read-write lock keep their state under a real lock
  of their own (``_guard``), which is held for a few instructions and never
  while sleeping.  A sleeper sleeps on its worker's gate; ``parked`` tells a
  waker that this very sleep is still to be ended, and is written under
  ``Waits.mutex`` once it is visible to others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from sys import _getframe
from types import FrameType
from typing import TYPE_CHECKING, Any

from ...errors import ThreadAbort
from ...primitives import Condition, Lock, RLock, RWLock, Semaphore
from ...trace import NOTHING, LockEdge, Site
from ..instrument import site_of
from ..osthreads import caller_frame, caller_site
from ..stuck import Polled, misuse_event

if TYPE_CHECKING:
    from .run import FreeRun, Worker

_SPURIOUS = 0.25
"""How likely a wait that may end unasked does."""


def _make_lock(run: FreeRun) -> type[Lock]:
    local, namespace, noise = run.local, run.namespace, run.step

    class FreeLock(Lock):
        owner: Worker | None = None

        def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
            # One call less than through the base: a machine makes many locks.
            self.cls = cls or "lock"
            self.index = index
            self.real = real = threading.Lock()
            self._get = real.acquire

        def __enter__(self) -> bool:
            me = local.worker
            if me is None:
                run.outside()
                return self._get()
            if namespace["noisy"]:
                noise()
            held = me.held
            if held:
                note(me, self)
            if not self._get(False):
                self._sleep(me)
            self.owner = me
            frame = _getframe(1)
            held.append((self, frame.f_code, frame.f_lasti))
            return True

        def acquire(self, blocking: bool = True) -> bool:
            me = local.worker
            if me is None:
                run.outside()
                return self._get(blocking)
            if namespace["noisy"]:
                noise()
            if blocking and me.held:
                note(me, self)
            if not self._get(False):
                if not blocking:
                    return False
                self._sleep(me)
            self.owner = me
            frame = _getframe(1)
            me.held.append((self, frame.f_code, frame.f_lasti))
            return True

        def _sleep(self, me: Worker) -> None:
            waits = run.waits
            run.about_to_wait(me)
            waits.enter(me, self)
            self.real.acquire()
            waits.leave(me)
            if me.aborted:
                self._let_go(me)
                raise ThreadAbort

        def _let_go(self, me: Worker) -> None:
            try:
                self.real.release()
            except RuntimeError:
                # A run that gives up a thread lets go of its locks, while that may come back.
                if not (me.lost or me.aborted):
                    raise

        def __exit__(self, *exc: object) -> None:
            me = local.worker
            if me is None:
                run.outside()
                self.real.release()
                return
            if namespace["noisy"] and exc[0] is None:
                noise()
            self._give_up(me)

        def release(self) -> None:
            me = local.worker
            if me is None:
                run.outside()
                self.real.release()
                return
            if namespace["noisy"] and not me.aborted:
                noise()
            self._give_up(me)

        def _give_up(self, me: Worker) -> None:
            if self.owner is not me:
                if not me.aborted:
                    me.events.append((me.slot, misuse_event(me, self, caller_site(), run.tick())))
                return
            held = me.held
            if held[-1][0] is self:
                held.pop()
            else:
                drop(me, self)
            self.owner = None
            self._let_go(me)

        def locked(self) -> bool:
            if namespace["noisy"]:
                noise()
            return self.real.locked()

        def held_from(self, frame: FrameType) -> None:
            me = local.worker
            if me is not None and me.held and me.held[-1][0] is self:
                me.held[-1] = (self, frame.f_code, frame.f_lasti)

        def owners_for(self, worker: Worker) -> Iterable[Worker]:
            owner = self.owner
            return () if owner is None else (owner,)

        def stuck_for(self, worker: Worker) -> bool:
            return self.owner is not None

        def abandon(self, worker: Worker) -> None:
            """The owner ended without releasing: let the others go on."""
            self.owner = None
            self.real.release()

    return FreeLock


def note(me: Worker, lock: Any, mode: bool = True, again: bool = False) -> None:
    """``me`` is about to want ``lock`` with others held: keep each such chain once.

    A fair read-write lock is noted by its writers with nothing held too, since they
    hold readers back; ``again`` says that a reader has it already.

    Only ``me`` writes ``me.chains``; the coordinator reads it between batches.
    """
    held = me.held
    if len(held) == 1:
        outer = held[0][0]
        key: Any = (outer.cls, outer.index, lock.cls, lock.index, mode)
    else:
        key = (*[(outer.cls, outer.index) for outer, _, _ in held], lock.cls, lock.index, mode)
    if again:
        key = (*key, again)
    if key not in me.chains:
        me.chains[key] = _chain(me, lock, mode)


def _chain(me: Worker, lock: Any, mode: bool) -> list[LockEdge]:
    """The edges from each lock that ``me`` holds to ``lock``.

    Locks of one class without an index cannot be told apart here: no edge.
    """
    held = [(outer, getattr(outer, "writer", me) is me, site_of(c, i)) for outer, c, i in me.held]
    others = frozenset((outer.name, how) for outer, how, _ in held)
    wanted, here = (lock.cls, lock.name), str(caller_site())
    fair = getattr(lock, "fair", False)
    edges = [
        LockEdge(me.name, (outer.cls, outer.name), wanted, others, how, mode, -1, -1, str(site), here, fair)
        for outer, how, site in held
        if outer.name != lock.name or (outer is lock and fair and not mode and not how)
    ]
    if fair and mode and not held:
        edges.append(LockEdge(me.name, NOTHING, wanted, others, True, True, -1, -1, "", here, fair))
    return edges


def _make_rlock(run: FreeRun, base: Any) -> type[Lock]:
    local = run.local

    class FreeRLock(base, RLock):  # type: ignore[misc]
        depth = 0

        def __enter__(self) -> bool:
            return self._again(local.worker, True, 2)

        def acquire(self, blocking: bool = True) -> bool:
            return self._again(local.worker, blocking, 2)

        def _again(self, me: Worker | None, blocking: bool, depth: int) -> bool:
            if me is not None and self.owner is me:
                self.depth += 1
                return True
            if not super().acquire(blocking):
                return False
            if me is not None:
                frame = _getframe(depth)
                me.held[-1] = (self, frame.f_code, frame.f_lasti)
            self.depth = 1
            return True

        def _give_up(self, me: Worker) -> None:
            if self.owner is me and self.depth > 1:
                self.depth -= 1
                return
            super()._give_up(me)

    return FreeRLock


def drop(me: Worker, lock: Any) -> None:
    """Take ``lock`` off what ``me`` holds: its latest entry."""
    for i in range(len(me.held) - 1, -1, -1):
        if me.held[i][0] is lock:
            del me.held[i]
            return


class _Parking:
    """Sleeping on something that nobody owns, and being woken from it."""

    _run: FreeRun

    def _park(self, me: Worker, ticket: object) -> None:
        """Sleep until ``_unpark(me, ticket)``; ``ticket`` is already published."""
        try:
            self._run.waits.enter(me, self)
        except ThreadAbort:
            self._withdraw(me, ticket)
            raise
        me.gate.acquire()
        self._run.waits.leave(me)
        if me.aborted:
            raise ThreadAbort

    def _withdraw(self, me: Worker, ticket: object) -> None:
        with self._run.waits.mutex:
            if me.parked is ticket:
                me.parked = None
                return
        # Somebody has opened the gate already; take that back.
        me.gate.acquire()

    def _unpark(self, worker: Worker, ticket: object) -> None:
        with self._run.waits.mutex:
            if worker.parked is ticket:
                worker.parked = None
                worker.gate.release()

    def owners_for(self, worker: Worker) -> Iterable[Worker]:
        return ()

    def stuck_for(self, worker: Worker) -> bool:
        return worker.parked is not None


class _Turn:
    """One wait for a read-write lock, or one time that a writer has it.

    ``behind`` has the turns of the writers that a reader of a fair lock found there.
    """

    __slots__ = ("behind", "worker", "writing")

    def __init__(self, worker: Worker, writing: bool, behind: tuple[_Turn, ...]) -> None:
        self.worker, self.writing, self.behind = worker, writing, behind


def _make_rwlock(run: FreeRun) -> type[RWLock]:
    local = run.local

    class FreeRWLock(_Parking, RWLock):
        _run = run

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._guard = threading.Lock()
            # Tuples that are replaced, never changed: who looks for a ring reads them without the guard.
            self.readers: tuple[Worker, ...] = ()
            self._queue: tuple[_Turn, ...] = ()
            self.writer: Worker | None = None

        def _enter(self, me: Worker, writing: bool) -> None:
            run.maybe_step()
            if me.held or (writing and self.fair):
                note(me, self, writing, not writing and any(held is self for held, _, _ in me.held))
            turn: _Turn | None = None
            while True:
                with self._guard:
                    ahead = tuple(t for t in self._queue if t.writing) if self.fair else ()
                    if not ahead and self._free_for(writing):
                        self._grant(me, writing)
                        break
                    if not run.has_due(me):
                        turn = _Turn(me, writing, () if writing else ahead)
                        me.parked = turn
                        self._queue += (turn,)
                        break
                run.about_to_wait(me)
            if turn is not None:
                try:
                    self._park(me, turn)
                except ThreadAbort:
                    # Hand it back if it was granted meanwhile; who waited behind us can go on.
                    self._leave(me, writing)
                    raise
            frame = caller_frame(2)
            if frame is not None:
                me.held.append((self, frame.f_code, frame.f_lasti))

        def _free_for(self, writing: bool) -> bool:
            return self.writer is None and not (writing and self.readers)

        def _grant(self, me: Worker, writing: bool) -> None:
            if writing:
                self.writer = me
            else:
                self.readers += (me,)

        def _leave(self, me: Worker, writing: bool) -> bool:
            """``me`` has the lock no more, or waits for it no more; False if it had it not."""
            with self._guard:
                had = self.writer is me if writing else me in self.readers
                if had and writing:
                    self.writer = None
                elif had:
                    at = self.readers.index(me)
                    self.readers = self.readers[:at] + self.readers[at + 1 :]
                self._queue = tuple(t for t in self._queue if t.worker.parked is t)
                for turn in self._queue:
                    waiting = any(t in self._queue for t in turn.behind)
                    if self._free_for(turn.writing) and not waiting:
                        self._let_in(turn)
            return had

        def _let_in(self, turn: _Turn) -> None:
            """Wake who waits and give it the lock, in one step for those who look for a ring.

            With the mutex held for both, an owner is never seen as waiting, and nobody
            goes to sleep elsewhere before it is seen to own this.
            """
            worker = turn.worker
            with run.waits.mutex:
                self._queue = tuple(t for t in self._queue if t is not turn)
                if worker.parked is turn:
                    self._grant(worker, turn.writing)
                    worker.parked = None
                    worker.gate.release()

        def _exit(self, me: Worker, writing: bool) -> None:
            if not me.aborted:
                run.maybe_step()
            if self._leave(me, writing):
                drop(me, self)
            elif not me.aborted:
                me.events.append((me.slot, misuse_event(me, self, caller_site(), run.tick())))

        def acquire_read(self) -> bool:
            me = local.worker
            if me is None:
                run.outside()
                return super().acquire_read()
            self._enter(me, False)
            return True

        def acquire_write(self) -> bool:
            me = local.worker
            if me is None:
                run.outside()
                return super().acquire_write()
            self._enter(me, True)
            return True

        def release_read(self) -> None:
            me = local.worker
            if me is None:
                run.outside()
                super().release_read()
            else:
                self._exit(me, False)

        def release_write(self) -> None:
            me = local.worker
            if me is None:
                run.outside()
                super().release_write()
            else:
                self._exit(me, True)

        def owners_for(self, worker: Worker) -> Iterable[Worker]:
            turn, writer = worker.parked, self.writer
            if not isinstance(turn, _Turn):
                return ()
            holding = self.readers if turn.writing else ()
            if writer is not None:
                holding = (writer,)
            return (*holding, *(t.worker for t in self._queue if t in turn.behind))

        def abandon(self, worker: Worker) -> None:
            self._leave(worker, self.writer is worker)

    return FreeRWLock


def _make_condition(run: FreeRun) -> type[Condition]:
    local = run.local

    class FreeCondition(_Parking, Condition):
        _run = run
        lock: Any

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._roused: dict[Worker, tuple[int, int]] = {}

        def _unasked(self, me: Worker) -> bool:
            """Whether this wait of ``me``, who has the lock, ends by itself: one in a collision may."""
            now = me.batch, me.slot
            if self._roused.get(me) == now or me.rng.random() >= _SPURIOUS:
                return False
            self._roused[me] = now
            return True

        def __enter__(self) -> bool:
            return bool(self.lock.__enter__())

        def wait(self) -> bool:
            me = local.worker
            if me is None:
                run.outside()
                return super().wait()
            run.maybe_step()
            run.about_to_wait(me)
            lock = self.lock
            if lock.owner is not me:
                me.events.append((me.slot, misuse_event(me, lock, caller_site(), run.tick())))
                return False
            depth = getattr(lock, "depth", 1)
            ticket = object()
            asked = not self.spurious or not self._unasked(me)
            if asked:
                # Still under the lock: a notifier that takes it next finds us.
                me.parked = ticket
                self._waiters.append((me, ticket))
            if hasattr(lock, "depth"):
                lock.depth = 1
            lock._give_up(me)
            if asked:
                self._park(me, ticket)
            else:
                time.sleep(0)
            lock.acquire()
            if hasattr(lock, "depth"):
                lock.depth = depth
            return True

        def notify(self, n: int = 1) -> None:
            me = local.worker
            if me is None:
                run.outside()
                super().notify(n)
                return
            if me.aborted:
                return
            run.maybe_step()
            if self.lock.owner is not me:
                me.events.append((me.slot, misuse_event(me, self.lock, caller_site(), run.tick())))
                return
            woken, self._waiters = self._waiters[:n], self._waiters[n:]
            for worker, ticket in woken:
                self._unpark(worker, ticket)

    return FreeCondition


def _make_semaphore(run: FreeRun) -> type[Semaphore]:
    local = run.local

    class FreeSemaphore(_Parking, Semaphore):
        _run = run

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._guard = threading.Lock()
            self.count = self.initial
            self._queue: list[tuple[Worker, object]] = []

        def acquire(self, blocking: bool = True) -> bool:
            me = local.worker
            if me is None:
                run.outside()
                return super().acquire(blocking)
            run.maybe_step()
            while True:
                with self._guard:
                    if self.count:
                        self.count -= 1
                        return True
                    if not blocking:
                        return False
                    if not run.has_due(me):
                        ticket = object()
                        me.parked = ticket
                        self._queue.append((me, ticket))
                        break
                run.about_to_wait(me)
            self._park(me, ticket)
            return True

        def release(self) -> None:
            me = local.worker
            if me is None:
                run.outside()
                super().release()
                return
            if not me.aborted:
                run.maybe_step()
            with self._guard:
                while self._queue and self._queue[0][0].parked is not self._queue[0][1]:
                    self._queue.pop(0)
                if not self._queue:
                    self.count += 1
                    return
                worker, ticket = self._queue.pop(0)
            self._unpark(worker, ticket)

    return FreeSemaphore


class Predicate(_Parking, Polled):
    """What a thread in ``wait_until`` waits for, at ``site``."""

    cls = "wait_until"
    name = "its predicate"

    def __init__(self, test: Callable[[], Any], run: FreeRun, site: Site) -> None:
        self._test, self._run, self.site = test, run, site

    def label(self) -> str:
        return self.name

    def stuck_for(self, worker: Worker) -> bool:
        """Evaluated by whoever asks, who holds the mutex: so without noise."""
        return not self._run.quietly(self._test)


def wait_until(run: FreeRun, test: Callable[[], Any]) -> None:
    """Spin, but be known as waiting, so that a wait without end is a finding."""
    me = run.local.worker
    if me is None:
        run.outside()
        while not test():
            time.sleep(0)
        return
    if test():
        return
    run.about_to_wait(me)
    run.waits.enter(me, Predicate(test, run, caller_site()))
    pause = 0.0
    try:
        while not test():
            if me.aborted:
                raise ThreadAbort
            time.sleep(pause)
            pause = min(pause + 5e-6, 1e-3)
    finally:
        run.waits.leave(me)
    if me.aborted:
        raise ThreadAbort


def substitutes(run: FreeRun) -> dict[type, type]:
    """The free-running class for each primitive, bound to ``run``."""
    lock = _make_lock(run)
    return {
        Lock: lock,
        RLock: _make_rlock(run, lock),
        RWLock: _make_rwlock(run),
        Condition: _make_condition(run),
        Semaphore: _make_semaphore(run),
    }
