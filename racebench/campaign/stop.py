"""Ending early: Ctrl-C, SIGTERM, another process that says so, or a deadline.

A KeyboardInterrupt that comes while a result is being stored would lose it.
So the signal handler only notes the wish, and raises just inside
``interruptible`` blocks: where an engine runs, which turns the exception into
a result with what is known so far.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_INSIST = 3


class Stop:
    """Whether someone asked to stop.  Asking is safe from a signal handler.

    Who asks for the ``insist``-th time wants out whatever it costs.

    A deadline is no such wish: it ends the block that is running, by a signal
    too, and then all goes on.  Its thread sets ``outlived`` and ``_due`` before
    it sends that signal to the main thread, where alone they are read.
    """

    def __init__(self, insist: int = _INSIST) -> None:
        self._insist = insist
        self._times = 0
        self._inside = False
        self._raised = False
        self._due = False
        self.outlived = ""
        """What the deadline that has come says of it; empty before, and after."""

    @property
    def asked(self) -> bool:
        return self._times > 0

    @property
    def over(self) -> bool:
        """Whether what is running has to end, with all the rest or alone."""
        return self.asked or self.outlived != ""

    def ask(self, *_signal_and_frame: Any) -> None:
        """Stop soon; raises KeyboardInterrupt in an ``interruptible`` block, once."""
        if self._due:
            self._due = False
            if self._inside:
                raise KeyboardInterrupt
            return
        self._times += 1
        if self._times >= self._insist or (self._inside and not self._raised):
            self._raised = True
            raise KeyboardInterrupt

    @contextmanager
    def deaf(self) -> Iterator[None]:
        """A wish is only noted here, however often it is said."""
        before, self._insist = self._insist, 1 << 30
        inside, self._inside = self._inside, False
        try:
            yield
        finally:
            self._insist, self._inside = before, inside

    def wish(self) -> None:
        """As ``ask``, from a thread that then sends the signal."""
        self._times += 1

    def due(self, said: str) -> None:
        """A deadline has come: the signal that its thread now sends is nobody's wish."""
        self.outlived, self._due = said, True

    def past(self, lost: bool) -> bool:
        """Whether a deadline whose block is over can be forgotten: its signal has come, or is ``lost``."""
        if self._due and not lost:
            return False
        self.outlived, self._due = "", False
        return True

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A block that a wish to stop, or a deadline, ends with KeyboardInterrupt."""
        self._inside = True
        try:
            # The wish may have come before; the flag is set first so that none slips through.
            if self.over:
                raise KeyboardInterrupt
            yield
        finally:
            self._inside = False

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """A part of an ``interruptible`` block that must not be cut in two; a wish waits for its end."""
        inside, self._inside = self._inside, False
        try:
            yield
        finally:
            self._inside = inside
        if inside and self.asked and not self._raised:
            self._raised = True
            raise KeyboardInterrupt
        if inside and self.outlived:
            raise KeyboardInterrupt

    def checked(self, call: Callable[..., None]) -> Callable[..., None]:
        """``call``, raising KeyboardInterrupt after it if what is running has to end.

        For callbacks that an engine makes: a signal that the engine swallowed
        is told again.
        """

        def checked(*args: Any) -> None:
            call(*args)
            if self.over:
                raise KeyboardInterrupt

        return checked

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM ask to stop; what was there is put back afterwards.

        Outside the main thread, where Python has no signals, this does nothing.
        An interrupt may land in a destructor, where Python can only print it;
        ``checked`` tells it again, so it need not be printed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        names = [n for n in ("SIGINT", "SIGTERM") if hasattr(signal, n)]
        before = {n: signal.signal(getattr(signal, n), self.ask) for n in names}
        unraisable, sys.unraisablehook = sys.unraisablehook, self._unraisable
        try:
            yield
        finally:
            sys.unraisablehook = unraisable
            for name, handler in before.items():
                signal.signal(getattr(signal, name), handler)

    def _unraisable(self, what: sys.UnraisableHookArgs) -> None:
        if not (self.over and isinstance(what.exc_value, KeyboardInterrupt)):
            sys.__unraisablehook__(what)
