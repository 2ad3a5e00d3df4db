"""Threads that a program starts while it runs.

A thread is named after its maker and its number: ``main.worker-1`` is the first
thread with target ``worker`` that main made.  That is the same in each execution, whatever
name the program gives it (a pool's numbers go on from one execution to the next).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..errors import ThreadAbort
from . import runtime
from .clock import limited
from .event import Event
from .ops import END, JOIN, LOOK, START
from .primitive import Primitive, either, insiders

_DIGITS = re.compile(r"[-_ ]?\d+")


def _base(name: str | None, target: Any, cls: type) -> str:
    """The name of a thread, without a number."""
    called = name if name is not None else getattr(target, "__name__", cls.__name__.lower())
    return _DIGITS.sub("", str(called)).strip("_<>") or "thread"


class Thread(Primitive):
    """As ``threading.Thread``; in a run it is a thread of the program like any other.

    If its ``run`` raises, that is a finding (``program.error``), except for SystemExit.  It
    starts in the step of ``start``, and ends in a step of its own, after which it can be
    joined.  The execution waits for it unless it is a ``daemon``.
    """

    kind = "thread"

    def __init__(
        self,
        group: None = None,
        target: Callable[..., Any] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        if group is not None:
            raise ValueError("group must be None: Python has no groups of threads")
        self._target, self._args, self._kwargs = target, tuple(args), dict(kwargs or {})
        super().__init__(_base(name, target, type(self)))
        self.runner: Any = None
        self.facade: Any = None
        self.started = self.ended = False
        self.called = self.cls
        now = runtime.current
        maker = threading.current_thread() if now is None else now.enrol(self)
        self._name = self.called if name is None else str(name)
        self.daemon = bool(getattr(maker, "daemon", False) if daemon is None else daemon)

    @property
    def name(self) -> str:
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = str(name)

    def label(self) -> str:
        return self.called

    @property
    def ident(self) -> int | None:
        """A number that no other living thread has; None before it is started."""
        return id(self) if self.started else None

    def run(self) -> None:
        if self._target is not None:
            self._target(*self._args, **self._kwargs)

    def start(self) -> None:
        """Start the thread; RuntimeError if it was started before."""
        now = runtime.current
        if now is not None:
            now.hand_over(f"what {self.label()} runs", self._target)
            for given in (*self._args, *self._kwargs.values()):
                now.hand_over(f"an argument of {self.label()}", given)
        self._step(START, self._start)

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, or for ``timeout`` seconds; RuntimeError if it was not started."""
        if timeout is not None and limited(timeout) <= 0:
            self._step(LOOK, self._joined)
        else:
            self._block(JOIN, self._joined, timeout=timeout)

    def is_alive(self) -> bool:
        return bool(self._step(LOOK, lambda me, _: self.started and not self.ended))

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        op = me.op
        if op is START or op is END or op is LOOK:
            return True
        possible = self.ended or not self.started or me is self.runner
        return possible if op is JOIN else either(me, possible)

    def owners_for(self, me: Any) -> Iterable[Any]:
        return () if self.ended or self.runner is None else insiders(self.runner)

    def next_woken(self, me: Any) -> list[Any]:
        """The threads that would run if ``me`` made the ``start`` that it offers."""
        return [] if self.started else [self.runner]

    def _start(self, me: Any, _: None) -> None:
        if self.started:
            raise RuntimeError("threads can only be started once")
        self.started = True
        now = runtime.current
        if now is not None:
            now.spawn(self)
        else:
            threading.Thread(target=self._outside, name=self._name, daemon=self.daemon).start()

    def _outside(self) -> None:
        """Run the thread outside a run."""
        self.runner = runtime.here.me
        self.perform()

    def perform(self) -> None:
        """Run to the end, in the thread that was started for it."""
        wrong: BaseException | None = None
        try:
            self.run()
        except ThreadAbort:
            raise
        except SystemExit:
            pass
        except BaseException as error:
            wrong = error
        finally:
            # As threading does: the target or its arguments may refer back to this object.
            self._target, self._args, self._kwargs = None, (), {}
        self._step(END, self._end)
        if wrong is not None:
            raise wrong

    def _end(self, me: Any, _: None) -> None:
        self.ended = True

    def _joined(self, me: Any, _: None) -> None:
        if not self.started:
            raise RuntimeError("cannot join thread before it is started")
        if me is self.runner:
            raise RuntimeError("cannot join current thread")


class Timer(Thread):
    """Calls ``function`` after ``interval`` seconds, unless it is cancelled before."""

    def __init__(
        self,
        interval: float,
        function: Callable[..., Any],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name="timer")
        self.interval, self.function = interval, function
        self.args, self.kwargs = tuple(args or ()), dict(kwargs or {})
        self.finished = Event("timer.finished")

    def cancel(self) -> None:
        """Keep the timer from calling its function, if it has not begun to."""
        self.finished.set()

    def run(self) -> None:
        self.finished.wait(self.interval)
        if not self.finished.is_set():
            self.function(*self.args, **self.kwargs)
        self.finished.set()
