"""Stand-ins for functions and classes of ``threading``, ``queue``, ``time`` and ``heapq``, during a run.

Library code finds them wherever it finds the real thing: as an attribute of the module,
or as a global of its own after ``from threading import Lock``.  So for the time of a run
each such global of each module is replaced.  A stand-in tests who calls: code of the
program gets RaceBench's version, everybody else (another thread of the process, RaceBench
itself) the real one.  Afterwards each global is restored.

References that are kept elsewhere than in a module (as an argument's default, in a
class) are not found.  If a thread blocks in one, its name and place are reported
(see ``stillness``).
"""

from __future__ import annotations

import _thread
import functools
import queue
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from ...primitives import Barrier, BoundedSemaphore, Condition, Event, Primitive, RLock, Semaphore, clock
from ...primitives.locks import PlainLock
from ...primitives.runtime import inside
from ...primitives.simplequeue import SimpleQueue
from ..osthreads import is_ours
from . import heaps
from .facade import current_thread, faced

_PACKAGE = __name__.partition(".")[0]


def _lock() -> Any:
    caller = sys._getframe(2)
    waits = caller.f_locals.get("self") if caller.f_globals is vars(threading) else None
    if isinstance(waits, _REAL_CONDITION) and not isinstance(
        getattr(waits.acquire, "__self__", None), Primitive
    ):
        # The wait of a condition over a real lock that was made before the run needs a real lock too.
        return _thread.allocate_lock()
    return PlainLock()


def _rlock(*args: Any) -> RLock:
    return RLock()


def _condition(lock: Any = None) -> Any:
    # A condition over a real lock that was made before the run has to be real too.
    return (
        _REAL_CONDITION(lock)
        if lock is not None and not isinstance(lock, (PlainLock, RLock))
        else Condition(lock)
    )


def _queue() -> SimpleQueue:
    return SimpleQueue()


def _ns(seconds: Callable[[], float]) -> Callable[[], int]:
    @functools.wraps(seconds)
    def nanoseconds() -> int:
        return int(seconds() * 1e9)

    return nanoseconds


_REAL_CONDITION = threading.Condition
_OURS: list[tuple[Any, Any]] = [
    (threading.Lock, _lock),
    (_thread.allocate_lock, _lock),
    (threading.RLock, _rlock),
    (_thread.RLock, _rlock),
    (threading.Condition, _condition),
    (threading.Semaphore, Semaphore),
    (threading.BoundedSemaphore, BoundedSemaphore),
    (threading.Event, Event),
    (threading.Barrier, Barrier),
    (threading.current_thread, current_thread),
    (queue.SimpleQueue, _queue),
    (time.sleep, clock.sleep),
    (time.monotonic, clock.monotonic),
    (time.perf_counter, clock.perf_counter),
    (time.time, clock.time),
    (time.monotonic_ns, _ns(clock.monotonic)),
    (time.perf_counter_ns, _ns(clock.perf_counter)),
    (time.time_ns, _ns(clock.time)),
    *heaps.PAIRS,
]


class Standin:
    """Stands for ``real``, a class or a function: the program's code gets ``ours``."""

    __slots__ = ("ours", "real")

    def __init__(self, real: Any, ours: Callable[..., Any]) -> None:
        self.real, self.ours = real, ours

    def __call__(self, *args: Any, **how: Any) -> Any:
        called = self.ours if inside() and not is_ours(sys._getframe(1).f_code.co_filename) else self.real
        return called(*args, **how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __instancecheck__(self, value: Any) -> bool:
        kinds = tuple(kind for kind in (self.real, self.ours) if isinstance(kind, type))
        return isinstance(value, kinds)

    def __subclasscheck__(self, cls: type) -> bool:
        return isinstance(self.real, type) and issubclass(cls, self.real)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self.real,)

    def __or__(self, other: Any) -> Any:
        return self.real | other

    def __ror__(self, other: Any) -> Any:
        return other | self.real


_STANDINS = {id(real): Standin(real, ours) for real, ours in _OURS}
"""By the id of the real object, which each stand-in keeps alive."""

_places: dict[str, tuple[weakref.ref[ModuleType], int, tuple[str, ...]]] = {}
"""By name: the module, the number of its globals when last examined, and the names of those to replace."""

_UNKNOWN: tuple[Callable[[], Any], int, tuple[str, ...]] = (lambda: None), -1, ()


def _found() -> Iterator[tuple[dict[str, Any], str]]:
    """The globals, in all modules but ours, that have to be replaced."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == _PACKAGE or type(module) is not ModuleType:
            continue
        own = vars(module)
        known, size, names = _places.get(name, _UNKNOWN)
        # Another module may have come in the place of one of that name.
        if size != len(own) or known() is not module:
            names = tuple([n for n, value in list(own.items()) if id(value) in _STANDINS])
            _places[name] = weakref.ref(module), len(own), names
        for one in names:
            yield own, one


@contextmanager
def installed() -> Iterator[None]:
    """Give the program's code our versions in this block; the globals are restored afterwards."""
    replaced: list[tuple[dict[str, Any], str, Standin]] = []
    try:
        for own, name in _found():
            standin = _STANDINS.get(id(own.get(name)))
            if standin is not None:
                own[name] = standin
                replaced.append((own, name, standin))
        with faced():
            yield
    finally:
        for own, name, standin in replaced:
            if own.get(name) is standin:
                own[name] = standin.real  # type: ignore[union-attr]
