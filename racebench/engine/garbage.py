"""Keep the garbage collector out of the way of a run.

Each execution leaves a little cyclic garbage.  The automatic collector would walk the
whole process again and again to find it, which costs more than the executions.
So the objects that exist before the run are set aside (gc.freeze), and the youngest
generation, which holds all the garbage, is collected at times of our choosing.
If there is hardly any, the collections are far apart.

A run leaves rings of objects too: its threads, its states, the classes made
for it.  They are collected when it is over, while the earlier objects are still set
aside: once these come back, the rings would count as old, and stay for hours.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import ParamSpec, TypeVar

# Only one run at a time owns the process (primitives.installed), so no lock is needed.
_inside = False
_P = ParamSpec("_P")
_T = TypeVar("_T")

_OLDER_EVERY = 16
_WORTH_IT = 100
_SHARE, _LONGEST = 0.02, 64


class Collector:
    """Collects on some calls of ``collect``; now and then the older generations too.

    If garbage is scarce, a collection waits until its cost is a small share of the time: a Python
    without generations walks all that the run has made each time.
    """

    def __init__(self) -> None:
        self._collections = self._waited = 0
        self._not_before = 0.0

    def collect(self) -> None:
        self._waited += 1
        started = perf_counter()
        if started < self._not_before and self._waited < _LONGEST:
            return
        self._collections += 1
        found = gc.collect(0 if self._collections % _OLDER_EVERY else 2)
        ended = perf_counter()
        worth_it = found >= _WORTH_IT * self._waited
        self._not_before = 0.0 if worth_it else ended + (ended - started) / _SHARE
        self._waited = 0


@contextmanager
def tamed() -> Iterator[Collector]:
    """Switch automatic collection off in this block; the settings are restored after it.

    The garbage of the block is collected at its end.  Inside another such block
    this does nothing.
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
    """Run ``run`` in a ``tamed`` block: when it ends, all that it made is freed, except its result."""

    @functools.wraps(run)
    def alone(*args: _P.args, **how: _P.kwargs) -> _T:
        with tamed():
            return run(*args, **how)

    return alone
