"""Hold signals back while they would cut an execution in two.

Python runs a signal's handler in the main thread between any two bytecodes, and
the handler of Ctrl-C raises there.  Between handing the floor to an execution's first
thread and getting it back from the last one, no code could repair the state after such an
exception.  An execution is short, and the watchdog ends one that hangs,
so the signal waits.

Only the main thread uses this module.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Shield:
    """While it is entered, a signal is kept; at its exit the signal's handler is called, which may raise."""

    def __init__(self) -> None:
        self._up = False
        self._kept: list[int] = []
        self._handlers: dict[int, Callable[[int, Any], Any]] = {}

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Wrap the handlers of Ctrl-C and SIGTERM; does nothing outside the main thread, which runs them."""
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
                # The program may have installed a handler of its own meanwhile: leave that one.
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
