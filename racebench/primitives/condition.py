"""Condition variables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from .clock import limited
from .locks import FOREVER, Lock, RLock
from .ops import NOTIFY, NOTIFY_ALL, SLEEP, WAIT
from .primitive import Primitive


class Condition(Primitive):
    """A condition variable over ``lock``; without one it makes an RLock of its own.

    Waiters are woken first come, first served.  ``spurious``: in a run ``wait`` may also
    return without a notification, as POSIX allows, so that code which does not check its
    predicate again is found out.  This happens once for each thread and condition in an
    execution, so that a loop around ``wait`` ends.
    A wait with a timeout already returns without a notification, by that timeout.
    """

    kind = "condition"

    def __init__(
        self,
        lock: Lock | None = None,
        cls: str | None = None,
        index: int | str | None = None,
        *,
        spurious: bool = False,
    ) -> None:
        called = cls or self._called()
        self.lock = lock if lock is not None else RLock(f"{called}.lock", index)
        self.lock.unnamed |= lock is None and self.unnamed
        super().__init__(called, index)
        self.spurious = spurious
        self.waiters: list[Any] = []

    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:
        taken = self.lock.acquire(blocking, timeout)
        self.lock.held_from(sys._getframe(1))
        return taken

    def release(self) -> None:
        self.lock.release()

    def __enter__(self) -> bool:
        taken = self.lock.acquire()
        self.lock.held_from(sys._getframe(1))
        return taken

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.lock.__exit__(kind, value, tb)

    def wait(self, timeout: float | None = None) -> bool:
        """Release the lock, sleep until notified, take the lock again; False after ``timeout`` seconds."""
        if timeout is not None:
            limited(timeout)
        depth = self._step(WAIT, self._begin)
        if not depth:
            return False
        woken = self._sleep(depth, timeout)
        self.lock.held_from(sys._getframe(1))
        return woken

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        """``wait`` until ``predicate()`` is true, for ``timeout`` seconds at most; returns its value.

        After a wake-up in vain there may be any time left, or none.  Here there is always
        some: a wait that times out at once has the same effect as no time left.
        """
        while not (value := predicate()):
            woken = self.wait(timeout)
            self.lock.held_from(sys._getframe(1))
            if not woken and timeout is not None:
                return predicate()
        return value

    def notify(self, n: int = 1) -> None:
        """Wake the ``n`` longest waiting threads; call it with the lock held."""
        self._step(NOTIFY, self._notify, n)

    def notify_all(self) -> None:
        self._step(NOTIFY_ALL, self._notify)

    def _sleep(self, depth: int, timeout: float | None) -> bool:
        """Wait until notified or out of time, take the lock again ``depth`` times; return whether notified.

        As in ``threading``, a thread that is out of time stays on the list until it has the lock:
        a notification that it gets there is lost.
        """
        woken: bool = self._block(SLEEP, self._woken, timeout=timeout)
        self.lock.acquire()
        self.lock.depth = depth
        if not woken:
            self._step(SLEEP, self.quit)
        return woken

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        return me.op is not SLEEP or me not in self.waiters

    def quit(self, me: Any, _: None = None) -> None:
        if me in self.waiters:
            self.waiters.remove(me)

    def _begin(self, me: Any, _: None) -> int:
        """Release the lock and begin to wait, in one step; return how often it was held (0: not at all)."""
        depth = self.lock.let_go(me)
        if depth:
            self.waiters.append(me)
        return depth

    def _woken(self, me: Any, _: None) -> bool:
        """The effect of waking up: the notifier has already taken ``me`` off the list."""
        return True

    def _notify(self, me: Any, n: int | None) -> list[Any]:
        """Take the first ``n`` waiters off the list, None: all of them."""
        if self.lock.owner is not me:
            self.lock._misuse(me)
            return []
        woken = self.waiters[:n]
        del self.waiters[: len(woken)]
        return woken
