"""Signals kept back while they would cut an execution in two.

Python runs a signal's handler in the main thread between any two bytecodes, and
the handler of Ctrl-C raises there.  Between giving the floor to the first thread
of an execution and having it back from the last, nobody could put things right
after that.  An execution is short, and one that hangs is ended by the watchdog,
so the signal waits.

Everything here is the main thread's alone.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Shield:
    """While it is entered a signal is kept; then its handler is called, which may raise."""

    def __init__(self) -> None:
        self._up = False
        self._kept: list[int] = []
        self._handlers: dict[int, Callable[[int, Any], Any]] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """In between the handlers of Ctrl-C and SIGTERM; nothing outside the main thread, which has them."""
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM"):
                number = getattr(signal, name)
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number, handler in self._handlers.items():
                # A program's own, that it has put here meanwhile, is not ours to take away.
                if signal.getsignal(number) == self._handle:
                    signal.signal(number, handler)

    def __enter__(self) -> None:
        self._up = True

    def __exit__(self, *exc: object) -> None:
        self._up = False
        while self._kept:
            number = self._kept.pop()
            self._handlers[number](number, None)

    def _handle(self, number: int, frame: Any) -> None:
        if self._up:
            self._kept.append(number)
        else:
            self._handlers[number](number, frame)
