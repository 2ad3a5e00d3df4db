"""One OS thread of the free run."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

from ...primitives.primitive import Effect
from ...trace import LockEdge
from ..member import Member
from ..stuck import Fault


class Ticket:
    """A sleep that ends when somebody else does for the sleeper what it waits for: ``effect``.

    Or by itself after ``timeout`` seconds, if that is given.  Written with ``Waits.mutex``;
    the gate orders ``granted`` and ``result`` before the sleeper reads them.
    """

    __slots__ = ("arg", "effect", "granted", "result", "timeout")

    def __init__(self, effect: Effect, arg: Any, timeout: float | None = None) -> None:
        self.effect, self.arg, self.timeout = effect, arg, timeout
        self.granted = False
        self.result: Any = None


class Worker(Member):
    """One thread of the program, kept for the whole run.

    ``obj`` is what it waits for and ``parked`` says that somebody must open its
    ``gate`` then: both are written with ``Waits.mutex``.  So is ``op``, what it is
    about to do to a primitive that is no mutex.
    A ``child`` is idle until another thread starts it.
    """

    # What few ever get is the class's: an object of more than 30 attributes is slower to look them up.
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
        # What it has made of threads, by what they are called after, in which collision.
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
        """With ``Waits.mutex``: whether it waits for as long as it takes; one that times out will go on."""
        return self.obj is not None and (self.parked is None or self.parked.timeout is None)

    @property
    def awake(self) -> bool:
        """Whether this worker can still come to somebody who waits for it."""
        return not self.idle and self.obj is None


class Local(threading.local):
    """``worker`` is the calling thread's, None if it is none of the run's."""

    worker: Worker | None = None


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock
