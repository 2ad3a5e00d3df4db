"""Mutexes in the free run: real locks that really block, with one try as the fast path.

What each shared access is ordered by: ``owner`` and the owner's ``held`` are written by the thread that
has the real lock.  Others read ``owner`` under ``Waits.mutex``; waits.py explains why a stale value does
no harm.
"""

from __future__ import annotations

import threading
from sys import _getframe
from threading import Lock as RealLock
from types import FrameType
from typing import Any

from ...errors import ThreadAbort
from ...primitives import Lock, RLock
from ...primitives.locks import FOREVER, PlainLock, checked
from ...primitives.runtime import GONE
from .clock import patience
from .fast_path import mutex_path
from .gates import passed
from .parking import Free, Run
from .worker import Worker


class FreeMutex(Free, Lock):
    """A mutex without its fast path."""

    counts = False
    """Whether acquires are counted, so that one release need not free the lock."""

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        # It saves a call of the base class: a machine makes many locks.
        self.cls = cls or self._called()
        self.index = index
        self.real = real = RealLock()
        self._get, self._put = real.acquire, real.release

    def taken_outside(self, blocking: bool, timeout: float) -> bool:
        """Take the lock in setup or check, which run alone: no thread would release it in time."""
        self._run.outside()
        return super().acquire(checked(blocking, timeout) is None)

    def given_back_outside(self) -> None:
        self._run.outside()
        super().release()

    def _wait(self, me: Worker) -> None:
        run = self._run
        run.waits.enter(me, self)
        passed(self.real, run.noise.looks)
        # The lock has no owner until the caller has written itself as owner.  A thread that walks the graph
        # meanwhile sees no cycle here, correctly: this thread goes on.  A cycle through it closes when it
        # enters the next time.
        run.waits.leave(me)
        if me.aborted:
            self._let_go(me)
            raise ThreadAbort

    def _timed(self, me: Worker, blocking: bool, timeout: float) -> bool:
        seconds = checked(blocking, timeout)
        if seconds is None:
            taken: bool = self.acquire()
        else:
            # It blocks for a limited time: this lock order can close no cycle.
            taken = self.acquire(False) or (seconds > 0 and self._wait_for(me, seconds))
        if taken:
            self.held_from(_getframe(2))
        return taken

    def _wait_for(self, me: Worker, seconds: float) -> bool:
        """Wait without entering the wait-for graph: the thread goes on soon, whoever has the lock."""
        if not self.real.acquire(timeout=patience(seconds, me.rng)):
            self._run.clock.passed(seconds)
            return False
        self.owner = me
        frame = _getframe(2)
        me.held.append((self, frame.f_code, frame.f_lasti))
        return True

    def drop(self, me: Any, _: None = None) -> None:
        if self.owner is not me:
            self._misuse(me)
            return
        me.drop(self)
        # Before the real release: the next owner writes itself right after it, and must not be overwritten.
        self.owner = None
        self._let_go(me)

    def _let_go(self, me: Worker) -> None:
        try:
            self._put()
        except RuntimeError:
            self._not_had(me)

    def _not_had(self, me: Worker) -> None:
        """Ignore a failed release if the run gave this thread up and freed its lock; else raise."""
        if not (me.lost or me.aborted):
            raise

    def held_from(self, frame: FrameType) -> None:
        me = self._run.local.worker
        if me is not None and me.held and me.held[-1][0] is self:
            me.held[-1] = (self, frame.f_code, frame.f_lasti)

    def stuck_for(self, worker: Worker) -> bool:
        return self.owner is not None

    def abandon(self, worker: Worker) -> None:
        """Free the lock of an owner that ended without releasing it, so that the others go on."""
        self.owner = None
        self.real.release()


class FreePlain:
    """The difference for a lock that any thread may release.

    The list of the locks that the owner holds belongs to that thread: ``lent`` tells it to update the list,
    which it does before it notes any lock order.
    """

    owner: Any
    real: threading.Lock

    def drop(self, me: Any, _: None = None) -> None:
        owner = self.owner
        if owner is me:
            me.drop(self)
        elif owner is None and not self.real.locked():
            raise RuntimeError("release unlocked lock")
        elif owner is not None:
            owner.lent = True
        self.owner = None
        self.real.release()

    def left_by(self, me: Any) -> None:
        me.drop(self)
        if self.owner is me:
            self.owner = GONE


class Reentrant(FreeMutex):
    """Handles the holder's nested acquires before the fast path, over a class that has that path."""

    depth = 0

    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:
        me = self._run.local.worker
        if me is not None and self.owner is me:
            checked(blocking, timeout)
            self.depth += 1
            return True
        if not super().acquire(blocking, timeout):
            return False
        if me is not None:
            self.held_from(_getframe(1))
            self.depth = 1
        return True

    __enter__ = acquire

    def drop(self, me: Any, _: None = None) -> None:
        if self.owner is me:
            self.depth -= 1
            if self.depth:
                return
        super().drop(me)

    def abandon(self, worker: Worker) -> None:
        self.depth = 0
        super().abandon(worker)


def mutexes(run: Run, base: type) -> dict[type, type]:
    """Return the free run's ``Lock`` and ``RLock``."""
    path = mutex_path(run.namespace)
    lock = type("FreeLock", (FreeMutex, base), path)
    again = type("FreeRLock", (FreeMutex, RLock, base), {**path, "counts": True})
    plain = type("FreePlain", (FreePlain, PlainLock, lock), {})
    return {Lock: lock, PlainLock: plain, RLock: type("FreeRLock", (Reentrant, again), {})}
