"""CPUs for processes that run side by side, one for each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


def spread(n: int) -> None:
    """Make this process number ``n`` of several: its runs are pinned to a CPU of its own, if possible."""
    global _place
    _place = n


def place() -> int:
    """The number of this process among those side by side; the process id if it was given none."""
    return _place


_place = os.getpid()


@contextmanager
def pinned() -> Iterator[None]:
    """Keep the calling thread, and threads it starts, on one CPU; restore the CPUs after the block."""
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
