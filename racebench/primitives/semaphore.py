"""Counting semaphores."""

from __future__ import annotations

from typing import Any

from .clock import limited
from .ops import DOWN, TRY_DOWN, UP, up
from .primitive import Primitive, either


class Semaphore(Primitive):
    """A counting semaphore: ``acquire`` waits while the count is 0.

    ``Semaphore(2, "slots", 3)`` is called slots[3] in reports.
    """

    kind = "semaphore"
    most: int | None = None
    """The highest count that a release may reach, if any."""

    def __init__(self, value: int = 1, cls: str | None = None, index: int | str | None = None) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        super().__init__(cls, index)
        # The initial count: ``detect.happens_before`` needs it to find the releases before an acquire.
        self.initial = self.count = value

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take one; False if there is none now (``blocking=False``), or none within ``timeout`` s."""
        taken: bool
        if timeout is None:
            taken = self._block(DOWN, self._down) if blocking else self._step(TRY_DOWN, self._down)
            return taken
        if not blocking:
            raise ValueError("can't specify timeout for non-blocking acquire")
        limited(timeout)
        taken = self._block(DOWN, self._down, None, None, timeout) if timeout > 0 else self.acquire(False)
        return taken

    def release(self, n: int = 1) -> None:
        """Add ``n`` in one step; ValueError if that is too many for a BoundedSemaphore."""
        if n < 1:
            raise ValueError("n must be one or more")
        if self._step(UP if n == 1 else up(n), self._up, n) is False:
            raise ValueError("Semaphore released too many times")

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        if me.op is DOWN:
            return self.count > 0
        return either(me, self.count > 0)

    def takes_back(self, n: int) -> bool:
        """Whether a release of ``n`` is within the limit."""
        return self.most is None or self.count + n <= self.most

    def _down(self, me: Any, _: None) -> bool:
        if not self.count:
            return False
        self.count -= 1
        return True

    def _up(self, me: Any, n: int) -> bool:
        if self.most is not None and not self.takes_back(n):
            return False
        self.count += n
        return True


class BoundedSemaphore(Semaphore):
    """A semaphore that ``release`` may not raise above its initial value: ValueError."""

    def __init__(self, value: int = 1, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(value, cls, index)
        self.most = value
