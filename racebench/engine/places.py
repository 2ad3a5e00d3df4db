"""Processes that run side by side, each on a CPU of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from ..records.encoding import has_gil


def spread(n: int) -> None:
    """This process is number ``n`` of several side by side: it pins itself to a CPU of its own, if it can."""
    global _place
    _place = n


def place() -> int:
    """The number of this process among those side by side; of one that was told none, the system's own."""
    return _place


_place = os.getpid()


@contextmanager
def pinned() -> Iterator[None]:
    """Keep the calling thread, and threads it starts, on one CPU; put it back after."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {sorted(before)[_place % len(before)]})
    except OSError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def together() -> AbstractContextManager[None]:
    """``pinned`` where a GIL lets one thread run at a time anyway.

    Spread over CPUs they would gain nothing, and pay at each turn: the other CPU has to be woken,
    and has nothing of the states in its cache.
    """
    return pinned() if has_gil() else nullcontext()
