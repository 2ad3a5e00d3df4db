"""The garbage collector, kept out of the way of a run.

Each execution leaves a little cyclic garbage.  Left to itself the collector
walks the whole process again and again to find it, which costs more than the
executions.  Here what exists before the run is set aside, and the youngest
generation, where all the garbage is, is collected at points of our choosing.
Where there turns out to be next to none they lie ever further apart.

A run leaves rings of objects too: its threads, its states, the classes made
for it.  They go when it is over, while all that was there before is still set
aside: once that comes back they would count as old, and stay for hours.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import ParamSpec, TypeVar

# Runs of one process come one after another: a run owns it (primitives.installed).
_inside = False
_P = ParamSpec("_P")
_T = TypeVar("_T")

_OLDER_EVERY = 16
_WORTH_IT, _FURTHEST = 100, 16
_SHARE, _LONGEST = 0.02, 64


class Collector:
    """Collects at some of the times when it is told that it may; now and then the older generations too.

    Where garbage is scarce, a collection waits until it is a small share of the time, as well: a Python
    without generations walks everything that the run has made each time.
    """

    def __init__(self) -> None:
        self._collections = self._waited = 0
        self._apart = 1
        self._not_before = 0.0

    def collect(self) -> None:
        self._waited += 1
        if self._waited < self._apart:
            return
        started = perf_counter()
        if started < self._not_before and self._waited < _LONGEST:
            return
        self._collections += 1
        found = gc.collect(0 if self._collections % _OLDER_EVERY else 2)
        if found >= _WORTH_IT * self._waited:
            self._apart, self._not_before = 1, 0.0
        else:
            self._apart = min(_FURTHEST, self._apart * 2)
            ended = perf_counter()
            self._not_before = ended + (ended - started) / _SHARE
        self._waited = 0


@contextmanager
def tamed() -> Iterator[Collector]:
    """No automatic collection in the block; all as before after it.

    What the block leaves behind is collected at its end.  In a block within a
    block only the outer one does anything.
    """
    global _inside
    if _inside:
        yield Collector()
        return
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()
    _inside = True
    try:
        yield Collector()
    finally:
        _inside = False
        gc.collect()
        gc.unfreeze()
        if was_on:
            gc.enable()


def leaves_nothing(run: Callable[_P, _T]) -> Callable[_P, _T]:
    """``run`` in a block of its own: when it is over, so is all that it made but its result."""

    @functools.wraps(run)
    def alone(*args: _P.args, **how: _P.kwargs) -> _T:
        with tamed():
            return run(*args, **how)

    return alone
