"""What is none of a program's: a thread that was there before the run, and the real things that it makes."""

from __future__ import annotations

import heapq
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

# In a dict, since what a module has by name is replaced while a run lasts.
REAL: dict[str, Any] = {"sleep": time.sleep, "push": heapq.heappush}

_asked: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
_made: queue.SimpleQueue[Any] = queue.SimpleQueue()


def _serve() -> None:
    while True:
        make = _asked.get()
        try:
            made = make()
        except BaseException as error:
            made = error
        _made.put(made)


def from_outside(make: Callable[[], Any]) -> Any:
    """What ``make`` makes, called by the thread ``stranger``; or what it raises."""
    _asked.put(make)
    return _made.get()


threading.Thread(target=_serve, name="stranger", daemon=True).start()
