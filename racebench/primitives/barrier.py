"""Barriers."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from threading import BrokenBarrierError
from typing import Any

from .clock import limited
from .ops import ABORT, ACTED, ARRIVE, FAILED, LEAVE, PEEK, RESET
from .primitive import Primitive, either, insiders


class _Phase(enum.Enum):
    FILLING, DRAINING, RESETTING, BROKEN = range(4)


class Barrier(Primitive):
    """``parties`` threads wait for each other, again and again; one of them calls ``action`` then.

    As in ``threading``: a thread that arrives while the last ones are still leaving waits until
    they have left, and a thread that has not left yet when the barrier breaks finds it
    broken.  While ``action`` runs, all other operations wait, except those that only look.
    """

    kind = "barrier"

    def __init__(
        self,
        parties: int,
        action: Callable[[], Any] | None = None,
        timeout: float | None = None,
        cls: str | None = None,
        index: int | str | None = None,
    ) -> None:
        if parties < 1:
            raise ValueError("parties must be >= 1")
        super().__init__(cls, index)
        self._parties, self.action, self.timeout = parties, action, timeout
        self.phase, self.count = _Phase.FILLING, 0
        self.acting: Any = None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until all have arrived; return how many arrived before.  BrokenBarrierError if it breaks.

        It breaks if a thread has waited for ``timeout`` seconds, if ``action`` raises,
        and by ``abort``; it stays broken until ``reset``.
        """
        if timeout is None:
            timeout = self.timeout
        if timeout is not None:
            limited(timeout)
        index: int = self._block(ARRIVE, self._arrive)
        if index < 0:
            raise BrokenBarrierError
        if index + 1 < self._parties:
            if not self._block(LEAVE, self._leave, timeout=timeout):
                raise BrokenBarrierError
        elif self.action is not None:
            try:
                self.action()
            except BaseException:
                self._step(FAILED, self._acted, _Phase.BROKEN)
                raise
            self._step(ACTED, self._acted, _Phase.DRAINING)
        return index

    def abort(self) -> None:
        """Break it: all threads that wait, and all that arrive later, get BrokenBarrierError."""
        self._block(ABORT, self._break)

    def reset(self) -> None:
        """Make it whole again; threads that wait get BrokenBarrierError."""
        self._block(RESET, self._reset)

    @property
    def parties(self) -> int:
        return self._parties

    @property
    def n_waiting(self) -> int:
        found: int = self._step(PEEK, self._waiting)
        return found

    @property
    def broken(self) -> bool:
        return bool(self._step(PEEK, lambda me, _: self.phase is _Phase.BROKEN))

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        op = me.op
        if op is PEEK or op is ACTED or op is FAILED:
            return True
        if self.acting is not None:
            return False
        if op is ARRIVE:
            return self.phase is _Phase.FILLING or self.phase is _Phase.BROKEN
        if op is ABORT or op is RESET:
            return True
        left = self.phase is not _Phase.FILLING
        return left if op is LEAVE else either(me, left)

    def owners_for(self, me: Any) -> Iterable[Any]:
        return () if self.acting is None else insiders(self.acting)

    def may_expire(self) -> bool:
        return self.acting is None

    def expire(self, me: Any, _: Any = None) -> bool:
        self._break(me)
        self._gone()
        return False

    def _arrive(self, me: Any, _: None) -> int:
        """How many arrived before; -1 if it is broken."""
        if self.phase is _Phase.BROKEN:
            return -1
        index = self.count
        self.count += 1
        if self.count == self._parties:
            if self.action is not None:
                self.acting = me
            else:
                self._acted(me, _Phase.DRAINING)
        return index

    def _acted(self, me: Any, phase: _Phase) -> None:
        """The thread that arrived last leaves, and the others may."""
        self.acting, self.phase = None, phase
        self._gone()

    def _leave(self, me: Any, _: None) -> bool:
        whole = self.phase is _Phase.DRAINING
        self._gone()
        return whole

    def _gone(self) -> None:
        self.count -= 1
        if not self.count and self.phase is not _Phase.BROKEN:
            self.phase = _Phase.FILLING

    def _break(self, me: Any, _: None = None) -> None:
        self.phase = _Phase.BROKEN

    def _reset(self, me: Any, _: None) -> None:
        if not self.count:
            self.phase = _Phase.FILLING
        elif self.phase is not _Phase.DRAINING:
            self.phase = _Phase.RESETTING

    def _waiting(self, me: Any, _: None) -> int:
        return self.count if self.phase is _Phase.FILLING else 0
