"""The garbage collector, kept out of the way of a run.

Each execution leaves a little cyclic garbage.  Left to itself the collector
walks the whole process again and again to find it, which costs more than the
executions.  Here what exists before the run is set aside, and the youngest
generation, where all the garbage is, is collected at points of our choosing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OLDER_EVERY = 16


class Collector:
    """Collects when told to; every so often the older generations too."""

    def __init__(self) -> None:
        self._turn = 0

    def collect(self) -> None:
        self._turn += 1
        gc.collect(0 if self._turn % _OLDER_EVERY else 2)


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
