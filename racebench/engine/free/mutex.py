"""Mutexes in the free run: real locks that really block, with one try as the fast path.

What each shared access is ordered by: ``owner`` and the owner's ``held`` are written
by the thread that has the real lock.  Others read ``owner`` under ``Waits.mutex``;
why a stale value does no harm is argued in waits.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from sys import _getframe
from threading import Lock as RealLock
from types import FrameType, FunctionType
from typing import Any

from ...errors import ThreadAbort
from ...primitives import Lock, RLock
from ...primitives.locks import FOREVER, PlainLock, checked
from ...primitives.runtime import GONE
from .clock import patience
from .gates import passed
from .orders import note
from .parking import Free, Run
from .worker import Local, Worker


class FreeMutex(Free, Lock):
    """All of a mutex but its fast path."""

    counts = False
    """Whether one release need not give it up."""

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        # One call less than through the base: a machine makes many locks.
        self.cls = cls or self._called()
        self.index = index
        self.real = real = RealLock()
        self._get, self._put = real.acquire, real.release

    def taken_outside(self, blocking: bool, timeout: float) -> bool:
        """By setup or check, which have the machine to themselves: nobody would let go in time."""
        self._run.outside()
        return super().acquire(checked(blocking, timeout) is None)

    def given_back_outside(self) -> None:
        self._run.outside()
        super().release()

    def _wait(self, me: Worker) -> None:
        run = self._run
        run.waits.enter(me, self)
        passed(self.real, run.noise.looks)
        # Until the caller has written itself as its owner the lock has none.  Who walks by meanwhile sees
        # no ring here, and rightly: this thread goes on.  A ring through it closes when it next enters.
        run.waits.leave(me)
        if me.aborted:
            self._let_go(me)
            raise ThreadAbort

    def _timed(self, me: Worker, blocking: bool, timeout: float) -> bool:
        seconds = checked(blocking, timeout)
        if seconds is None:
            taken: bool = self.acquire()
        else:
            # Blocked for so long at most: no lock is asked for in an order that could close a ring.
            taken = self.acquire(False) or (seconds > 0 and self._wait_for(me, seconds))
        if taken:
            self.held_from(_getframe(2))
        return taken

    def _wait_for(self, me: Worker, seconds: float) -> bool:
        """Known to nobody as waiting: it goes on before long, whoever has the lock."""
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
        # Before the real release: the next owner writes itself right after, and this must not undo it.
        self.owner = None
        self._let_go(me)

    def _let_go(self, me: Worker) -> None:
        try:
            self._put()
        except RuntimeError:
            self._not_had(me)

    def _not_had(self, me: Worker) -> None:
        """The run may have given up this thread and freed its lock, so do not free the real one twice."""
        if not (me.lost or me.aborted):
            raise

    def locked(self) -> bool:
        self._run.maybe_step()
        return self.real.locked()

    def held_from(self, frame: FrameType) -> None:
        me = self._run.local.worker
        if me is not None and me.held and me.held[-1][0] is self:
            me.held[-1] = (self, frame.f_code, frame.f_lasti)

    def stuck_for(self, worker: Worker) -> bool:
        return self.owner is not None

    def abandon(self, worker: Worker) -> None:
        """The owner ended without releasing: let the others go on."""
        self.owner = None
        self.real.release()


class FreePlain:
    """What differs for a lock that anybody may give back.

    The list of what its owner holds is that thread's own: it is told to look by ``lent``,
    and no order of locks is noted before it has.
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
    """What its holder does before the fast path, over a class that has that."""

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


# The two functions below have the run's own of these, with its ``namespace``.
local = Local()
noisy = False


def noise() -> None:
    """A noisy step."""


def acquire(self: Any, blocking: bool = True, timeout: float = FOREVER) -> bool:
    me = local.worker
    if me is None:
        return bool(self.taken_outside(blocking, timeout))
    # By identity: nothing is as cheap, and another -1 comes to the same.
    if timeout is not FOREVER:
        timed: bool = self._timed(me, blocking, timeout)
        return timed
    if noisy:
        if me.fuel > 0:
            me.fuel -= 1
        else:
            noise()
    held = me.held
    if held and blocking:
        note(me, self)
    if not self._get(False):
        if not blocking:
            return False
        self._wait(me)
    self.owner = me
    frame = _getframe(1)
    held.append((self, frame.f_code, frame.f_lasti))
    return True


def release(self: Any, kind: Any = None, value: Any = None, tb: Any = None) -> None:
    me = local.worker
    if me is None:
        self.given_back_outside()
        return
    if noisy and kind is None and not me.aborted:
        if me.fuel > 0:
            me.fuel -= 1
        else:
            noise()
    held = me.held
    if self.counts or self.owner is not me or not held or held[-1][0] is not self:
        self.drop(me)
        return
    # As ``drop`` does it, without a call for each part.
    held.pop()
    self.owner = None
    try:
        self._put()
    except RuntimeError:
        self._not_had(me)


def _fast_path(run: Run) -> dict[str, Callable[..., Any]]:
    """``acquire`` and ``release`` of the mutexes of ``run``.

    They have its namespace for their globals: those are looked up faster than what a closure
    keeps, and where there is no GIL a closure's cell is locked at each look, by both threads at once.
    """
    names = globals()
    for name in {*acquire.__code__.co_names, *release.__code__.co_names} & names.keys():
        run.namespace.setdefault(name, names[name])
    get, put = (
        FunctionType(one.__code__, run.namespace, one.__name__, one.__defaults__)
        for one in (acquire, release)
    )
    return {"acquire": get, "__enter__": get, "release": put, "__exit__": put}


def mutexes(run: Run, base: type) -> dict[type, type]:
    """The free run's ``Lock`` and ``RLock``."""
    path = _fast_path(run)
    lock = type("FreeLock", (FreeMutex, base), path)
    again = type("FreeRLock", (FreeMutex, RLock, base), {**path, "counts": True})
    plain = type("FreePlain", (FreePlain, PlainLock, lock), {})
    return {Lock: lock, PlainLock: plain, RLock: type("FreeRLock", (Reentrant, again), {})}
