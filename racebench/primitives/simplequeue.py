"""``queue.SimpleQueue``, which is written in C, for programs in a run."""

from __future__ import annotations

import sys
from queue import Empty
from typing import Any

from . import runtime
from .clock import limited
from .ops import GET, LOOK, PUT, TRY_GET
from .primitive import Primitive, either

_POOLS = "concurrent.futures"


def _called_by_a_pool() -> bool:
    """Whether the caller of the calling function is code of ``concurrent.futures``."""
    return str(sys._getframe(2).f_globals.get("__name__")).startswith(_POOLS)


class SimpleQueue(Primitive):
    """First in, first out, without a limit; its steps put items in and take them out.

    Using a queue of an earlier execution is reported.  There is one exception: a thread pool
    that is garbage-collected late puts an item into its own queue, to wake its threads, which
    have ended.  That is no step of the present execution.  Its time depends on the collector
    and, without the GIL, on the thread that drops the pool last.  And nobody learns of it:
    still using such a pool, or looking into the queue, is reported as well.
    """

    kind = "queue"

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(cls, index)
        self.items: list[Any] = []
        now = runtime.current
        self._era = None if now is None else now.era

    def _used(self, now: runtime.Runtime | None) -> None:
        """Report the use if the queue is of an earlier execution; from now on it is of the present one."""
        if now is not None and self._era is not None and self._era != now.era:
            self._era = now.era
            now.outlives(self.label())

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put ``item`` in; it never blocks."""
        now = runtime.current
        if now is not None:
            if self._era is not None and self._era != now.era and _called_by_a_pool():
                self.items.append(item)
                return
            self._used(now)
            now.hand_over(f"an item of {self.label()}", item)
        self._step(PUT, self._put, item)

    put_nowait = put

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest item; Empty if there is none now (``block=False``), or none for ``timeout`` s."""
        if timeout is not None and block and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        self._used(runtime.current)
        if not block or (timeout is not None and limited(timeout) <= 0):
            found = self._step(TRY_GET, self._get)
        else:
            found = self._block(GET, self._get, timeout=timeout)
        if found is None:
            raise Empty
        return found[0]

    def get_nowait(self) -> Any:
        return self.get(False)

    def empty(self) -> bool:
        return not self.qsize()

    def qsize(self) -> int:
        self._used(runtime.current)
        size: int = self._step(LOOK, lambda me, _: len(self.items))
        return size

    # -- the machine

    @property
    def count(self) -> int:
        return len(self.items)

    def takes_back(self, times: int) -> bool:
        return True

    def ready_for(self, me: Any) -> bool:
        op = me.op
        if op is GET:
            return bool(self.items)
        return either(me, bool(self.items)) if op.other is not None else True

    def expire(self, me: Any, _: Any = None) -> None:
        return None

    def _put(self, me: Any, item: Any) -> None:
        self.items.append(item)

    def _get(self, me: Any, _: None) -> tuple[Any] | None:
        return (self.items.pop(0),) if self.items else None
