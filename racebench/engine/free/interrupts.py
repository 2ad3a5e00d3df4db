"""Interrupts in the free run: a handler runs on the very thread that it interrupts.

Where it comes is drawn afresh for each collision, among as many steps as the
thread made before; with interrupts off then, it comes at the first step after.
At the latest it comes before the thread sleeps, or when it has ended, so no
thread waits for a handler that cannot come any more.

Unlike under control, no interrupt comes to a thread that sleeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...errors import ThreadAbort
from ...program import Program
from ..stuck import error_event
from .worker import Worker

Handler = Callable[[Any], Any]


class _Due:
    """The interrupts still to come to one worker in its collision; owned by the worker."""

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self.handlers = handlers
        self.state: Any = None
        self.left: list[list[Any]] = []
        self.steps = self.most = 0

    def begin(self, state: Any, worker: Worker) -> None:
        draw = worker.rng.random
        self.most = max(self.most, self.steps)
        self.state, self.steps = state, 0
        # A step more than there were: that one is after the thread's end.
        self.left = [[int(draw() * (self.most + 2)), name] for name in self.handlers]
        self.left.sort()


class Interrupts:
    """The interrupts of a program.  ``flush`` has a worker's stores written, ``tick`` is the run's clock."""

    def __init__(
        self,
        program: Program,
        workers: Sequence[Worker],
        flush: Callable[[Worker], None],
        tick: Callable[[], int],
    ) -> None:
        by_thread: dict[str, dict[str, Handler]] = {}
        for name, (thread, handler) in program.interrupts.items():
            by_thread.setdefault(thread, {})[name] = handler
        self._due = {w: _Due(by_thread[w.name]) for w in workers if w.name in by_thread}
        self._flush, self._tick = flush, tick
        for worker in self._due:
            worker.function = self._interruptible(worker, worker.function)

    def _interruptible(self, me: Worker, function: Handler) -> Handler:
        due = self._due[me]

        def run(state: Any) -> Any:
            due.begin(state, me)
            try:
                result = function(state)
            except ThreadAbort:
                raise
            except BaseException:
                self.all(me)
                raise
            self.all(me)
            return result

        return run

    def some(self, me: Worker) -> None:
        """At a step of ``me``: what is due by now comes."""
        due = self._due.get(me)
        if due is not None and not me.handling[0]:
            due.steps += 1
            while due.left and due.left[0][0] < due.steps and me.irqs and me.obj is None:
                self._handle(me, due)

    def waiting(self, me: Worker) -> bool:
        """Whether something must come to ``me`` before it sleeps."""
        due = self._due.get(me)
        return due is not None and bool(due.left) and me.irqs and not (me.aborted or me.handling[0])

    def all(self, me: Worker) -> None:
        """Whatever is still due comes now, if it can."""
        due = self._due.get(me)
        while due is not None and due.left and me.irqs and not me.aborted:
            self._handle(me, due)

    def _handle(self, me: Worker, due: _Due) -> None:
        _, name = due.left.pop(0)
        self._flush(me)
        me.handling = name, len(me.held)
        me.irqs = False
        try:
            due.handlers[name](due.state)
        except ThreadAbort:
            raise
        except BaseException as error:
            if me.aborted:
                raise
            me.events.append((me.slot, error_event(name, error, self._tick())))
        finally:
            self._flush(me)
            me.handling = "", 0
            me.irqs = True
