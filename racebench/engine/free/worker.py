"""One OS thread of the free run."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...primitives.primitive import Effect
from ...records.encoding import has_gil
from ...trace import LockEdge
from ..member import Member
from ..stuck import Fault


class Ticket:
    """A sleep that ends when another thread performs ``effect``, the sleeper's operation, for it.

    Or by itself after ``timeout`` seconds, if that is given.  Written with ``Waits.mutex``; the gate orders
    ``granted`` and ``result`` before the sleeper reads them.
    """

    __slots__ = ("arg", "effect", "granted", "result", "timeout")

    def __init__(self, effect: Effect, arg: Any, timeout: float | None = None) -> None:
        self.effect, self.arg, self.timeout = effect, arg, timeout
        self.granted = False
        self.result: Any = None


class Worker(Member):
    """One thread of the program, kept for the whole run.

    ``obj`` is what it waits for; if ``parked`` is set, another thread must open its ``gate``: both are
    written with ``Waits.mutex``.  So is ``op``, the operation that it is about to perform on a primitive that
    is no mutex.
    A ``child`` is idle until another thread starts it.
    """

    # Rare attributes are the class's: in an object of more than 30 attributes each look-up is slower.
    child = lent = False
    filled = 0
    runs: Any = None
    clock: int | None = None

    def __init__(
        self,
        index: int,
        name: str,
        function: Callable[[Any], Any] | None,
        seed: int,
        daemon: bool = False,
    ) -> None:
        self.index, self.name, self.function, self.daemon = index, name, function, daemon
        # How many threads it has made of each class, and in which collision.
        self.made: Counter[str] = Counter()
        self.made_in = -1, -1
        self.rng = random.Random(seed * 1_000_003 + index)
        self.thread: threading.Thread | None = None
        self.go, self.done = _taken_lock(), _taken_lock()
        self.gate, self.hold_back = _taken_lock(), _taken_lock()
        self.idle, self.lost, self.aborted = True, False, False
        self.irqs = True
        self.batch = self.slot = 0
        self.fuel = 1
        self.op: Any = None
        self.obj: Any = None
        self.parked: Ticket | None = None
        self.held: list[Any] = []
        self.chains: dict[Any, list[LockEdge]] = {}
        self.faults: list[tuple[int, Fault]] = []
        self.results: list[Any] = []

    below = None
    suspended = False
    """There are no interrupts in a free run."""

    handling = ("", 0)

    @property
    def waits(self) -> bool:
        """Whether it waits without a timeout; one with a timeout will go on.  Read with ``Waits.mutex``."""
        return self.obj is not None and (self.parked is None or self.parked.timeout is None)

    @property
    def awake(self) -> bool:
        """Whether this worker can still reach a thread that waits for it."""
        return not self.idle and self.obj is None


class Local:
    """``worker`` is the calling thread's worker, None if the thread is not of the run."""

    worker: Worker | None = None

    def run(self, me: Worker, work: Callable[[Worker], None]) -> None:
        """Return ``work(me)``; the calling thread is ``me`` meanwhile."""
        self.worker = me
        try:
            work(me)
        finally:
            self.worker = None

    def names(self) -> dict[str, Any]:
        """Return the global names by which the code of steps finds the worker."""
        return {"local": self}


class ThreadLocal(threading.local, Local):
    """What is fastest with a GIL."""


class Table(Local):
    """Finds the worker by the thread's ident; the fastest without a GIL.

    Each step of each thread does that.  So nothing on the way may have a reference count that all threads
    write, or a lock that they all take: a ``threading.local`` has both.  ``_workers`` is the dict of a
    module, since the references to such a dict are not counted.  A thread reads and writes only its own
    entry, and so they need no order among each other; a dict allows that while another thread adds its own.
    A thread removes its entry when it ends, since a later thread may get the same ident.
    """

    def __init__(self) -> None:
        self._workers: dict[Any, Worker] = ModuleType("workers").__dict__
        self._workers.clear()

    def names(self) -> dict[str, Any]:
        return {"workers": self._workers, "get_ident": threading.get_ident}

    @property
    def worker(self) -> Worker | None:
        return self._workers.get(threading.get_ident())

    @worker.setter
    def worker(self, me: Worker | None) -> None:
        if me is None:
            self._workers.pop(threading.get_ident(), None)
        else:
            self._workers[threading.get_ident()] = me


# Chosen once: the code of the steps has to agree.
Here: type[Local] = ThreadLocal if has_gil() else Table
"""The kind that is the faster on this build."""


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock
