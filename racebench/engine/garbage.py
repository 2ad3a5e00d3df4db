"""The garbage collector, kept out of the way of a run.

Each execution leaves a little cyclic garbage.  Left to itself the collector
walks the whole process again and again to find it, which costs more than the
executions.  Here what exists before the run is set aside, and the youngest
generation, where all the garbage is, is collected at points of our choosing.
Where there turns out to be next to none they lie ever further apart.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OLDER_EVERY = 16
_WORTH_IT, _FURTHEST = 100, 16


class Collector:
    """Collects at some of the times when it is told that it may; now and then the older generations too."""

    def __init__(self) -> None:
        self._collections = self._waited = 0
        self._apart = 1

    def collect(self) -> None:
        self._waited += 1
        if self._waited < self._apart:
            return
        self._waited = 0
        self._collections += 1
        found = gc.collect(0 if self._collections % _OLDER_EVERY else 2)
        self._apart = 1 if found >= _WORTH_IT else min(_FURTHEST, self._apart * 2)


@contextmanager
def tamed() -> Iterator[Collector]:
    """No automatic collection in the block; all as before after it."""
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield Collector()
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
