"""Events."""

from __future__ import annotations

from typing import Any

from .clock import limited
from .ops import ASK_EVENT, AWAIT, CLEAR, LOOK, PASS, SET
from .primitive import Primitive, either


class Event(Primitive):
    """A flag that threads wait for.

    ``set`` lets go all who wait then, also if it is cleared before they run.  So it
    matters whether a thread has begun to wait: that is a step of its own.
    """

    kind = "event"

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(cls, index)
        self.flag = False
        # Who waits, and who was let go and has not gone on yet.
        self.waiters: list[Any] = []
        self.released: list[Any] = []

    def is_set(self) -> bool:
        return bool(self._step(LOOK, self._flag))

    def set(self) -> None:
        self._step(SET, self._set)

    def clear(self) -> None:
        self._step(CLEAR, self._clear)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that did not come within ``timeout`` seconds."""
        if timeout is not None and limited(timeout) <= 0:
            # Whoever sets it in between may as well have done so just before, or just after.
            return self.is_set()
        return bool(self._block(PASS, self._pass, None, ASK_EVENT, timeout))

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        """To ask is always possible; what becomes of it, and so what it is called, the flag decides."""
        op = me.op
        if op is ASK_EVENT or op is AWAIT:
            me.op = ASK_EVENT if self.flag else AWAIT
            return True
        possible = self.flag or me in self.released
        return possible if op is PASS else either(me, possible)

    def enlist(self, me: Any) -> None:
        self.waiters.append(me)

    def quit(self, me: Any, _: None = None) -> None:
        for waiting in (self.waiters, self.released):
            if me in waiting:
                waiting.remove(me)

    def expire(self, me: Any, _: Any = None) -> bool:
        self.quit(me)
        return False

    def _pass(self, me: Any, _: None) -> bool:
        self.quit(me)
        return True

    def _flag(self, me: Any, _: None) -> bool:
        return self.flag

    def _set(self, me: Any, _: None) -> None:
        self.flag = True
        self.released += self.waiters
        self.waiters.clear()

    def _clear(self, me: Any, _: None) -> None:
        self.flag = False
