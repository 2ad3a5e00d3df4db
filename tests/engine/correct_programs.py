"""Correct programs of the kinds that are easily taken for faulty.

Each is correct by the reasoning in its docstring.  ``SPINS`` has those that spin
without ``wait_until``: no fault may be found, but neither can every schedule be run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import racebench as rb

Thread = Callable[[Any], Any]

PROGRAMS: dict[str, rb.Program] = {}
SPINS: set[str] = set()


class Shop(rb.State):
    """What most of the programs need."""

    n = rb.shared(0)
    m = rb.shared(0)
    ready = rb.shared(False)
    ref = rb.shared(None)
    flag = rb.shared(0, atomic=True)
    other = rb.shared(0, atomic=True)
    link = rb.shared(None, atomic=True)
    items = rb.shared([])

    def __init__(self) -> None:
        self.a, self.b, self.gate = rb.Lock("a"), rb.Lock("b"), rb.Lock("gate")
        self.again = rb.RLock("again")
        self.rw = rb.RWLock("rw")
        self.table = rb.RWLock("table")
        self.sem, self.back = rb.Semaphore(0, "sem"), rb.Semaphore(0, "back")
        self.mutex, self.two = rb.Semaphore(1, "mutex"), rb.Semaphore(2, "two")
        self.lock = rb.Lock("m")
        self.cond = rb.Condition(self.lock, "cond")
        self.full = rb.Condition(self.lock, "full")
        self.rude = rb.Condition(self.lock, "rude", spurious=True)


def correct(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Register what ``make`` returns: threads by name, and other parts of a Program by keyword.

    ``ends`` maps a field to what it must be at the end, ``spins`` marks a plain spin loop.
    """
    parts = make()
    name = make.__name__
    if parts.pop("spins", False):
        SPINS.add(name)
    setup, ends = parts.pop("setup", Shop), parts.pop("ends", {})
    daemons, interrupts = parts.pop("daemons", ()), parts.pop("interrupts", {})

    def check(s: Any, results: dict[str, Any]) -> rb.Broken | None:
        wrong = {field: getattr(s, field) for field, end in ends.items() if getattr(s, field) != end}
        return rb.broken("wrong.end", f"{wrong}") if wrong else None

    PROGRAMS[name] = rb.Program(name, setup, parts, check, daemons=daemons, interrupts=interrupts)
    return make


def then(*parts: Thread) -> Thread:
    """One after another, as one thread."""

    def run(s: Any) -> None:
        for part in parts:
            part(s)

    return run


def add(s: Any) -> None:
    s.n += 1


def under(*locks: str, do: Thread = add) -> Thread:
    """``do`` with the locks of those names, the first one outermost."""

    def run(s: Any) -> None:
        if not locks:
            do(s)
            return
        with getattr(s, locks[0]):
            under(*locks[1:], do=do)(s)

    return run


def up(name: str = "sem", times: int = 1) -> Thread:
    def run(s: Any) -> None:
        for _ in range(times):
            getattr(s, name).release()

    return run


def down(name: str = "sem", times: int = 1) -> Thread:
    def run(s: Any) -> None:
        for _ in range(times):
            getattr(s, name).acquire()

    return run
