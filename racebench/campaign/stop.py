"""Ending early: Ctrl-C, SIGTERM, a lost terminal, or a parent process that says so.

A KeyboardInterrupt that comes while a result is being stored would lose it.
So the handler of a signal only notes the wish, and raises just inside
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
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Stop:
    """Whether someone asked to stop; once asked, for good.  Asking is safe from a signal handler.

    Who asks for the third time wants out whatever it costs.  All fields are
    the main thread's, but for ``over`` and ``why``: another thread writes them
    by ``request`` before it sends the main thread a signal.
    """

    def __init__(self) -> None:
        self._times = 0
        self._inside = self._raised = False
        self.over = False
        self.why = ""
        """What is said against the call that has to end; empty if that is just somebody's wish."""

    @property
    def asked(self) -> bool:
        """Whether somebody wished it, for whatever is still to come too."""
        return self.over and not self.why

    def request(self, why: str = "") -> None:
        """As a signal would, from another thread that sends one afterwards."""
        self.why = why
        self.over = True

    def ask(self, *_signal_and_frame: Any) -> None:
        """Stop soon; raises KeyboardInterrupt in an ``interruptible`` block, once."""
        self.over = True
        self._times += 1
        if self._times >= _INSIST or (self._inside and not self._raised):
            self._raised = True
            raise KeyboardInterrupt

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A block that a wish to stop ends with KeyboardInterrupt."""
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
        """A part of a block that must not be cut in two: a wish is noted, and told at its end."""
        inside, self._inside = self._inside, False
        try:
            yield
        finally:
            self._inside = inside
        if inside and self.over and not self._raised:
            self._raised = True
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
        """Ctrl-C, SIGTERM and SIGHUP ask to stop; what was there is put back afterwards.

        Outside the main thread, where Python has no signals, this does nothing.
        An interrupt may land in a destructor, where Python can only print it;
        ``checked`` tells it again, so it need not be printed.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        before = {number: signal.signal(number, self.ask) for number in numbers}
        unraisable, sys.unraisablehook = sys.unraisablehook, self._unraisable
        try:
            yield
        finally:
            sys.unraisablehook = unraisable
            for number, handler in before.items():
                signal.signal(number, handler)

    def _unraisable(self, what: sys.UnraisableHookArgs) -> None:
        if not (self.over and isinstance(what.exc_value, KeyboardInterrupt)):
            sys.__unraisablehook__(what)
