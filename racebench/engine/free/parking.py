"""The primitives' runtime in the free run, for all but mutexes.

A primitive is read and changed under ``Waits.mutex``, for a few instructions and never while sleeping:
that orders all accesses to it.  A thread that cannot go on is parked there, and is seen as waiting; see
waits.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

from ...errors import ThreadAbort
from ...primitives import Condition, Primitive, RWLock, Thread
from ...primitives.ops import ACQUIRE_WRITE, GIVES
from ...primitives.primitive import Effect
from ...trace import Op, Site
from ..osthreads import caller_site
from ..stuck import Polled, misuse_fault
from .clock import Clock
from .noise import Noise
from .orders import note
from .waits import Waits
from .worker import Local, Ticket, Worker

_SPURIOUS = 0.25
"""The probability that a wait which may end spuriously does so."""


class Run(Protocol):
    """What primitives need of the run that they are in."""

    local: Local
    namespace: dict[str, Any]
    waits: Waits
    noise: Noise
    clock: Clock
    tick: Callable[[], int]

    def step(self) -> None: ...

    def outside(self) -> None: ...

    def maybe_step(self) -> None: ...

    def quietly(self, test: Callable[[], Any]) -> bool: ...


class Free(Primitive):
    """Replaces the runtime that is used outside a run; a subclass binds it to a free run."""

    _run: ClassVar[Run]
    noisy = True

    def _step(self, op: Op, effect: Effect, arg: Any = None) -> Any:
        run = self._run
        me = run.local.worker
        if me is None:
            run.outside()
            return super()._step(op, effect, arg)
        if self.noisy and (not me.aborted or op.kind not in GIVES):
            run.maybe_step()
        with run.waits.mutex:
            me.op = op
            return run.waits.change(me, self, effect, arg)

    def _block(
        self, op: Op, effect: Effect, arg: Any = None, ask: Op | None = None, timeout: float | None = None
    ) -> Any:
        run = self._run
        me = run.local.worker
        if me is None:
            run.outside()
            # Setup and check run alone: what has not come by now never will.
            return super()._block(op, effect, arg, ask, None if timeout is None else 0.0)
        if self.noisy:
            run.maybe_step()
        with run.waits.mutex:
            me.op = op
            if self.ready_for(me):
                return run.waits.change(me, self, effect, arg)
            ticket = Ticket(effect, arg, timeout)
            run.waits.park(me, self, ticket)
        result = run.waits.sleep(me, self, ticket)
        if timeout is not None and not ticket.granted:
            run.clock.passed(timeout)
        return result

    def _misuse(self, me: Any) -> None:  # type: ignore[override]
        """Report a finding; the release is ignored."""
        if not me.aborted:
            me.faults.append((me.slot, misuse_fault(me, self, caller_site(), self._run.tick())))

    def stuck_for(self, worker: Worker) -> bool:
        """Return True: under the mutex, a worker that waits has not got what it waits for."""
        return True


class FreeThread(Free, Thread):
    """A thread whose start and join are not counted as noisy steps: they touch nothing that is shared."""

    noisy = False


class FreeRWLock(Free, RWLock):
    def _enter(self, op: Op, ask: Op) -> bool:
        me, writing = self._run.local.worker, op is ACQUIRE_WRITE
        if me is not None and (me.held or (writing and self.fair)):
            note(me, self, writing, not writing and any(held is self for held, _, _ in me.held))
        return super()._enter(op, ask)

    def abandon(self, me: Any, _: None = None) -> None:
        with self._run.waits.mutex:
            self._run.waits.change(me, self, super().abandon, None)


class FreeCondition(Free, Condition):
    """A condition that wakes spuriously at random, if it may."""

    def __init__(self, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._roused: dict[Worker, tuple[int, int]] = {}

    def _sleep(self, depth: int, timeout: float | None) -> bool:
        me = self._run.local.worker
        if me is None or not self.spurious or timeout is not None or not self._unasked(me):
            return super()._sleep(depth, timeout)
        time.sleep(0)
        self.lock.acquire()
        self.lock.depth = depth
        return True

    def _unasked(self, me: Worker) -> bool:
        """Return whether this wait of ``me`` ends spuriously, as one per collision may; if so, end it."""
        now = me.batch, me.slot
        with self._run.waits.mutex:
            if self._roused.get(me) == now or me.rng.random() >= _SPURIOUS:
                return False
            self._roused[me] = now
            self.quit(me)
        return True


class Predicate(Polled):
    """The predicate that a thread in ``wait_until`` waits for, at ``site``."""

    cls = "wait_until"
    name = "its predicate"

    def __init__(self, test: Callable[[], Any], run: Run, site: Site) -> None:
        self._test, self._run, self.site = test, run, site

    def label(self) -> str:
        return self.name

    def owners_for(self, worker: Worker) -> Iterable[Worker]:
        return ()

    def stuck_for(self, worker: Worker) -> bool:
        """Evaluate the predicate without noise, since the caller holds the mutex."""
        return not self._run.quietly(self._test)


def wait_until(run: Run, test: Callable[[], Any]) -> None:
    """Spin, but be registered as waiting, so that a wait without end is a finding."""
    me = run.local.worker
    if me is None:
        run.outside()
        while not test():
            time.sleep(0)
        return
    if test():
        return
    run.waits.enter(me, Predicate(test, run, caller_site()))
    pause = 0.0
    try:
        while not test():
            if me.aborted:
                raise ThreadAbort
            time.sleep(pause)
            pause = min(pause + 5e-6, 1e-3)
    finally:
        run.waits.leave(me)
    if me.aborted:
        raise ThreadAbort
