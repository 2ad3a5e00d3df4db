"""Stopping early: by Ctrl-C, SIGTERM, a lost terminal, or a message of the parent process.

A KeyboardInterrupt that comes while a result is being stored would lose it.
So a signal's handler only notes the request, and raises only inside an
``interruptible`` block: there an engine runs, which turns the exception into
its result so far.
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
    """Whether a stop was requested; a request is for good, and safe in a signal handler.

    The third request raises at once, whatever that costs.  All fields belong to
    the main thread, except ``over`` and ``why``: another thread writes them in
    ``request`` before it sends the main thread a signal.
    """

    def __init__(self) -> None:
        self._times = 0
        self._inside = self._raised = False
        self.over = False
        self.why = ""
        """Why the call has to end (it is late, say); empty if somebody asked to stop."""

    @property
    def asked(self) -> bool:
        """Whether somebody asked to stop, which also ends whatever is still to come."""
        return self.over and not self.why

    def request(self, why: str = "") -> None:
        """Request a stop from another thread, which sends a signal afterwards."""
        self.why = why
        self.over = True

    def ask(self, *_signal_and_frame: Any) -> None:
        """Request a stop; raises KeyboardInterrupt once if an ``interruptible`` block runs."""
        self.over = True
        self._times += 1
        if self._times >= _INSIST or (self._inside and not self._raised):
            self._raised = True
            raise KeyboardInterrupt

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let a request to stop end this block with KeyboardInterrupt."""
        self._inside = True
        try:
            # The request may have come before.  ``_inside`` is set first, so that no request is missed.
            if self.over:
                raise KeyboardInterrupt
            yield
        finally:
            self._inside = False

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Protect a part of an ``interruptible`` block: a request raises only at the end of the part."""
        inside, self._inside = self._inside, False
        try:
            yield
        finally:
            self._inside = inside
        if inside and self.over and not self._raised:
            self._raised = True
            raise KeyboardInterrupt

    def checked(self, call: Callable[..., None]) -> Callable[..., None]:
        """Wrap ``call``, to raise KeyboardInterrupt after it if a stop was requested.

        For callbacks that an engine makes: if the engine swallowed the signal's exception,
        the callback raises it again.
        """

        def checked(*args: Any) -> None:
            call(*args)
            if self.over:
                raise KeyboardInterrupt

        return checked

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Let Ctrl-C, SIGTERM and SIGHUP request a stop; the earlier handlers are restored afterwards.

        Outside the main thread, where Python has no signals, this does nothing.
        An interrupt may land in a destructor, where Python can only print it;
        ``checked`` raises it again, so it need not be printed.
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
