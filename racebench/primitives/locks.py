"""Mutexes: ``Lock`` and ``RLock``, each over a real ``threading.Lock``.

Under control they run as state machines.  Outside a run, and in the free
engine, the real lock itself orders and blocks, and ``owner`` is only a note.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from threading import Lock as RealLock
from types import FrameType, TracebackType
from typing import Any

from ..errors import HarnessBug
from . import runtime
from .clock import limited
from .ops import ACQUIRE, LOCKED
from .primitive import Primitive, either, insiders

FOREVER = -1
"""The timeout that means no timeout, as in ``threading``."""


def checked(blocking: bool, timeout: float) -> float | None:
    """The seconds that ``acquire`` may wait, None for no limit; raises what ``threading`` raises."""
    if timeout == FOREVER:
        return None if blocking else 0
    if not blocking:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0:
        raise ValueError("timeout value must be a non-negative number")
    return limited(timeout)


class Lock(Primitive):
    """A non-recursive lock over a real ``threading.Lock``; ``with lock:`` holds it.

    ``Lock("desc", 64)`` is called desc[64] in reports: the class is the kind of lock,
    for the order in which kinds are taken; the index tells locks of a kind apart.
    Without a name it is called after the attribute in which it is stored when it is made,
    and each such lock is of a kind of its own.

    A subclass whose ``acquire`` and ``__enter__`` call these sets
    ``frames_between`` to the depth of these calls, so that reports name its caller.
    """

    frames_between = 0
    recursive = False
    strict = True
    owner: Any = None
    depth = 1

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(cls, index)
        self.real = RealLock()

    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:
        """Take the lock; False if it is held now (``blocking=False``), or for ``timeout`` seconds."""
        taken = self.real.acquire(blocking, timeout)
        if taken:
            self.owner = runtime.here.me
        return taken

    def release(self) -> None:
        """Release the lock; RuntimeError if it is not held (in a run: lock.misuse)."""
        self.owner = None
        self.real.release()

    def locked(self) -> bool:
        """Whether any thread holds it: Xen's ``spin_is_locked``."""
        return self.real.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release()

    def irq(self) -> IrqGuard:
        """``with lock.irq():`` holds it with interrupts off, and **switches them on** after.

        Xen: spin_lock_irq, spin_unlock_irq.  It switches them on even if they were off before,
        so it is right only where they never are; see ``irqsave``.
        """
        return IrqGuard(self, False)

    def irqsave(self) -> IrqGuard:
        """``with lock.irqsave():`` holds it with interrupts off, and restores their state after.

        Xen: spin_lock_irqsave, spin_unlock_irqrestore.
        """
        return IrqGuard(self, True)

    def held_from(self, frame: FrameType) -> None:
        """In a run: note that ``frame`` took the lock just now, and not a function that it called."""

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        return self.owner is None if me.op is ACQUIRE else either(me, self.owner is None)

    def owners_for(self, me: Any) -> Iterable[Any]:
        # Read once, because in a free run the owner may release the lock between two reads.
        owner = self.owner
        return () if owner is None else insiders(owner)

    def grant(self, me: Any, frame: FrameType) -> bool:
        """Give the lock to ``me``, taken in ``frame``; the real lock must be free."""
        if not self.real.acquire(False):
            raise HarnessBug(f"{self.name} is free for the scheduler, but its real lock is held")
        self.owner = me
        me.held.append((self, frame.f_code, frame.f_lasti))
        return True

    def attempt(self, me: Any, frame: FrameType) -> bool:
        """Take it if it is free."""
        return self.owner is None and self.grant(me, frame)

    def drop(self, me: Any, _: None = None) -> None:
        if self.owner is not me:
            self._misuse(me)
            return
        me.drop(self)
        self.owner = None
        self.real.release()

    def let_go(self, me: Any) -> int:
        """For a condition's wait: release it completely, and return how often it was held (0: not at all)."""
        if self.owner is not me:
            self._misuse(me)
            return 0
        depth, self.depth = self.depth, 1
        self.drop(me)
        return depth


class PlainLock(Lock):
    """The ``threading.Lock()`` of a run: another thread than the one that took it may release it.

    So it may stand for a signal from one thread to another, and a thread may end with it
    held.  In a ring of such locks any thread may still release one: a deadlock is reported
    only when no thread can move.
    """

    strict = False

    def drop(self, me: Any, _: None = None) -> None:
        owner = self.owner
        if owner is None:
            raise RuntimeError("release unlocked lock")
        owner.drop(self)
        self.owner = None
        self.real.release()

    def left_by(self, me: Any) -> None:
        """``me`` ends and still holds the lock."""
        me.drop(self)
        self.owner = runtime.GONE


class RLock(Lock):
    """A lock that its holder may take again; it is released as often as it was taken."""

    recursive = True
    depth = 0

    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:
        me = runtime.here.me
        checked(blocking, timeout)
        if self.owner is not me:
            if not self.real.acquire(blocking, timeout):
                return False
            self.owner = me
        self.depth += 1
        return True

    def release(self) -> None:
        self.drop(runtime.here.me)

    # The methods that a ``threading.Condition`` calls on its lock.

    def _is_owned(self) -> bool:
        return bool(self._step(LOCKED, lambda me, _: self.owner is me))

    def _release_save(self) -> int:
        depth = self.depth
        for _ in range(depth):
            self.release()
        return depth

    def _acquire_restore(self, depth: int) -> None:
        for _ in range(depth):
            self.acquire()

    # -- the machine

    def _is_free_for(self, me: Any) -> bool:
        """Whether ``me`` can take it; a handler can take a lock of the thread below it: one processor."""
        return self.owner is None or self.owner is me or self.owner is me.below

    def ready_for(self, me: Any) -> bool:
        free = self._is_free_for(me)
        return free if me.op is ACQUIRE else either(me, free)

    def grant(self, me: Any, frame: FrameType) -> bool:
        if self.owner is None:
            super().grant(me, frame)
        self.depth += 1
        return True

    def attempt(self, me: Any, frame: FrameType) -> bool:
        return self._is_free_for(me) and self.grant(me, frame)

    def drop(self, me: Any, _: None = None) -> None:
        if self.depth > 1 and self._is_free_for(me):
            # A handler only releases what it has taken again itself.
            self.depth -= 1
            return
        if self.owner is me:
            self.depth = 0
        super().drop(me)


class IrqGuard:
    """Holds a lock with interrupts off, as a context manager."""

    __slots__ = ("_lock", "_restore", "_were_on")

    def __init__(self, lock: Lock, restore: bool) -> None:
        self._lock, self._restore = lock, restore
        self._were_on = True

    def __enter__(self) -> bool:
        self._were_on = runtime.irqs(False) or not self._restore
        self._lock.acquire()
        self._lock.held_from(sys._getframe(1))
        return True

    def __exit__(self, *exc: object) -> None:
        self._lock.release()
        if self._were_on:
            runtime.irqs(True)
