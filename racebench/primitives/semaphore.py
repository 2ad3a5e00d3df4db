"""Counting semaphores."""

from __future__ import annotations

from typing import Any

from .ops import DOWN, TRY_DOWN, UP
from .primitive import Primitive


class Semaphore(Primitive):
    """A counting semaphore: ``acquire`` waits while the count is 0."""

    kind = "semaphore"

    def __init__(self, n: int = 1, cls: str | None = None, index: int | str | None = None) -> None:
        if n < 0:
            raise ValueError("a semaphore's initial count must be 0 or more")
        super().__init__(cls, index)
        # What it was at first: `detect.past` tells by it whose release an acquire may owe itself to.
        self.initial = self.count = n

    def acquire(self, blocking: bool = True) -> bool:
        taken: bool = self._block(DOWN, self._down) if blocking else self._step(TRY_DOWN, self._down)
        return taken

    def release(self) -> None:
        self._step(UP, self._up)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        return self.count > 0 or me.op is not DOWN

    def _down(self, me: Any, _: None) -> bool:
        if not self.count:
            return False
        self.count -= 1
        return True

    def _up(self, me: Any, _: None) -> None:
        self.count += 1
