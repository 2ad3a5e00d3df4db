"""Events."""

from __future__ import annotations

from typing import Any

from .clock import limited
from .ops import ASK_EVENT, AWAIT, CLEAR, LOOK, PASS, SET
from .primitive import Primitive, either


class Event(Primitive):
    """A flag for which threads wait.

    ``set`` releases all threads that wait then, even if the flag is cleared before they run.
    So it matters whether a thread has begun to wait: that is a step of its own.
    """

    kind = "event"

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(cls, index)
        self.flag = False
        # Threads that wait, and threads that were released and have not continued yet.
        self.waiters: list[Any] = []
        self.released: list[Any] = []

    def is_set(self) -> bool:
        return bool(self._step(LOOK, lambda me, _: self.flag))

    def set(self) -> None:
        self._step(SET, self._set)

    def clear(self) -> None:
        self._step(CLEAR, self._clear)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if it was not set within ``timeout`` seconds."""
        if timeout is not None and limited(timeout) <= 0:
            # A set in between is the same as one just before or just after.
            return self.is_set()
        return bool(self._block(PASS, self._pass, None, ASK_EVENT, timeout))

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        """Asking is always possible; the flag decides the outcome, and so the name of the step."""
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

    def _set(self, me: Any, _: None) -> None:
        self.flag = True
        self.released += self.waiters
        self.waiters.clear()

    def _clear(self, me: Any, _: None) -> None:
        self.flag = False
