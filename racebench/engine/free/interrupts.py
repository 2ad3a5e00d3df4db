"""Interrupts in the free run: a handler runs on the very thread that it interrupts.

Where it comes is drawn afresh for each collision, among as many steps as the
thread made before; with interrupts off then, it comes at the first step after.
At the latest it comes before the thread sleeps, or when it has ended, so no
thread waits for a handler that cannot come any more.

Unlike under control, no interrupt comes to a thread that sleeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import ThreadAbort
from ...program import Program
from ..stuck import error_event
from .run import FreeRun, Worker

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


class InterruptedRun(FreeRun):
    """A free run of a program with interrupts."""

    steps_matter = True

    def __init__(self, program: Program, seed: int) -> None:
        super().__init__(program, seed)
        by_thread: dict[str, dict[str, Handler]] = {}
        for name, (thread, handler) in program.interrupts.items():
            by_thread.setdefault(thread, {})[name] = handler
        self._due = {w: _Due(by_thread[w.name]) for w in self.workers if w.name in by_thread}
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
                self._all(me)
                raise
            self._all(me)
            return result

        return run

    def step(self) -> None:
        me = self.local.worker
        due = self._due.get(me) if me is not None else None
        if me is not None and due is not None and not me.handling[0]:
            due.steps += 1
            while due.left and due.left[0][0] < due.steps and me.irqs and me.obj is None:
                self._handle(me, due)
        super().step()

    def irqs(self, on: bool | None) -> bool:
        if on is False:
            # The last moment for one to come; a step, as under control.
            self.maybe_step()
        return super().irqs(on)

    def has_due(self, me: Worker) -> bool:
        due = self._due.get(me)
        return due is not None and bool(due.left) and me.irqs and not (me.aborted or me.handling[0])

    def about_to_wait(self, me: Worker) -> None:
        if self.has_due(me):
            self._all(me)

    def quietly(self, test: Callable[[], Any]) -> bool:
        me = self.local.worker
        if me is None:
            return super().quietly(test)
        handling = me.handling
        me.handling = (handling[0] or "-", handling[1])
        try:
            return super().quietly(test)
        finally:
            me.handling = handling

    def _all(self, me: Worker) -> None:
        """Whatever is still due comes now, if it can."""
        due = self._due.get(me)
        while due is not None and due.left and me.irqs and not me.aborted:
            self._handle(me, due)

    def _handle(self, me: Worker, due: _Due) -> None:
        _, name = due.left.pop(0)
        me.handling = name, len(me.held)
        me.irqs = False
        try:
            due.handlers[name](due.state)
        except ThreadAbort:
            raise
        except BaseException as error:
            if me.aborted:
                raise
            me.events.append((me.slot, error_event(name, error, self.tick())))
        finally:
            me.handling = "", 0
            me.irqs = True
