"""A program with one of its lock acquisitions removed, or two swapped.

A site is a function and a lock class: ``gic_route_irq_to_guest``, ``rank``.
The locks of a state are replaced by ones that know where they are taken, so
any program can be changed without touching its code, a user's as well.

Lock order: that of the program, without a site, or with two sites swapped.
Guarantees: removing an acquisition does not break an assertion that the lock is held:
to the thread that would hold it ``locked()`` answers as if it did.  To other threads
the lock is free, as it is: they must not see what no step has done.
A try whose lock is removed succeeds.  Only pairs count in which both acquisitions
wait: a try never waits, so it has no other order.
Assumes: the inner lock of a swapped pair is the one that was taken there, under
that outer lock, when the unchanged protocol was watched.  If it turns out to
be another one, ``Watch.astray`` says that the change was not the intended one.
"""

from __future__ import annotations

import enum
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ...primitives import Lock, RLock, State
from ...primitives.locks import FOREVER, checked
from ...program import Program

PLUMBING = ("__enter__", "acquire")


class LockSite(NamedTuple):
    """The acquisition of a lock of class ``lock`` in ``function``."""

    function: str
    lock: str

    def __str__(self) -> str:
        return f"{self.lock} in {self.function}"


class Change(NamedTuple):
    """``remove`` a site, or take ``inner`` of a nested pair before ``outer``."""

    remove: LockSite | None = None
    outer: LockSite | None = None
    inner: LockSite | None = None

    def __str__(self) -> str:
        return f"without {self.remove}" if self.remove else f"{self.inner} before {self.outer}"

    def as_json(self) -> dict[str, list[str]]:
        if self.remove is not None:
            return {"remove": [self.remove.function, self.remove.lock]}
        assert self.outer is not None and self.inner is not None
        return {
            "outer": [self.outer.function, self.outer.lock],
            "inner": [self.inner.function, self.inner.lock],
        }


class Mark(enum.Enum):
    """The effect of an acquisition: see WatchedLock."""

    TAKEN = enum.auto()
    LEFT_OUT = enum.auto()
    EARLY = enum.auto()
    THERE = enum.auto()


@dataclass
class Watch:
    """Records where locks are taken, and holds the change to make there.

    ``sites`` and ``pairs`` (outer, inner) grow as code runs; ``taken`` maps an
    outer site, an inner site and the outer lock's name to the name of the inner lock.  Running
    threads write it: they add single items, which needs no lock, and nothing is
    read before the run is over.  ``astray`` says that the inner lock of the
    changed pair was taken under its outer one without having been taken early.
    """

    change: Change | None = None
    sites: set[LockSite] = field(default_factory=set)
    pairs: set[tuple[LockSite, LockSite]] = field(default_factory=set)
    taken: dict[tuple[LockSite, LockSite, str], str] = field(default_factory=dict)
    stacks: dict[int, list[tuple[LockSite, WatchedLock]]] = field(default_factory=dict)
    locks: dict[str, WatchedLock] = field(default_factory=dict)
    astray: bool = False


class WatchedLock(Lock):
    """A lock that follows its ``watch`` at the site that takes it.

    ``marks`` has for each thread, innermost last, the effects of its acquisitions;
    only the thread itself touches its own list.
    """

    watch: Watch
    marks: dict[int, list[Mark | WatchedLock]]
    frames_between = 2

    def __enter__(self) -> bool:
        return self._arrive(LockSite(_caller(), self.cls))

    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:
        site = LockSite(_caller(), self.cls)
        if checked(blocking, timeout) is None:
            return self._arrive(site)
        self.watch.sites.add(site)
        change = self.watch.change
        if change is not None and change.remove == site:
            self._mine().append(Mark.LEFT_OUT)
            return True
        taken = super().acquire(blocking, timeout)
        if taken:
            self._mine().append(Mark.TAKEN)
        return taken

    def _arrive(self, site: LockSite) -> bool:
        change = self.watch.change
        if change is not None and change.remove == site:
            return self._note(Mark.LEFT_OUT, site)
        if change is not None and change.inner == site:
            if Mark.EARLY in self._mine():
                return self._note(Mark.THERE, site)
            stack = self.watch.stacks.get(threading.get_ident(), ())
            if any(outer == change.outer and lock is not self for outer, lock in stack):
                self.watch.astray = True
        inner = None
        if change is not None and change.outer == site and change.inner is not None:
            name = self.watch.taken.get((site, change.inner, self.name))
            inner = None if name is None else self.watch.locks.get(name)
        if inner is None:
            super().acquire()
            return self._note(Mark.TAKEN, site)
        inner._early()
        super().acquire()
        return self._note(inner, site)

    def _early(self) -> None:
        """Take this lock before the lock that the code takes first."""
        self.frames_between = 3
        super().acquire()
        self.frames_between = 2
        self._mine().append(Mark.EARLY)

    def _mine(self) -> list[Mark | WatchedLock]:
        return self.marks.setdefault(threading.get_ident(), [])

    def _note(self, mark: Mark | WatchedLock, site: LockSite) -> bool:
        self._mine().append(mark)
        watch = self.watch
        stack = watch.stacks.setdefault(threading.get_ident(), [])
        watch.sites.add(site)
        for outer, lock in stack:
            if lock is not self:
                watch.pairs.add((outer, site))
                watch.taken.setdefault((outer, site, lock.name), self.name)
        stack.append((site, self))
        return True

    def __exit__(self, *exc: object) -> None:
        self.release()

    def release(self) -> None:
        stack = self.watch.stacks.get(threading.get_ident(), [])
        for i in range(len(stack) - 1, -1, -1):
            if stack[i][1] is self:
                del stack[i]
                break
        marks = self._mine()
        mark = marks.pop() if marks else Mark.TAKEN
        if mark is Mark.LEFT_OUT or mark is Mark.THERE:
            return
        super().release()
        if isinstance(mark, WatchedLock):
            mark._late()

    def _late(self) -> None:
        """Release the lock that was taken early: the outer lock of the swapped pair is free now."""
        marks = self._mine()
        if Mark.EARLY in marks:
            marks.remove(Mark.EARLY)
        super().release()

    def locked(self) -> bool:
        return super().locked() or Mark.LEFT_OUT in self._mine()


def _caller() -> str:
    """The function of the code under test that takes a lock."""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_code.co_name in PLUMBING:
        frame = frame.f_back
    return frame.f_code.co_name if frame is not None else "?"


def watched(program: Program, watch: Watch, states: Callable[[Any], Iterable[State]]) -> Program:
    """``program`` with ``watch`` on every Lock in ``states(state)``, the parts of its state."""

    class Own(WatchedLock):
        pass

    Own.watch = watch
    setup = program.setup

    def build() -> Any:
        state = setup()
        watch.stacks.clear()
        watch.locks.clear()
        # The runtime's own class for ours, so that a lock keeps its name and number.
        own = type(Own("watched"))
        for part in states(state):
            for lock in vars(part).values():
                if isinstance(lock, Lock) and not isinstance(lock, RLock):
                    lock.__class__ = own
                    watched_lock: WatchedLock = lock  # type: ignore[assignment]
                    watched_lock.marks = {}
                    watch.locks[lock.name] = watched_lock
        return state

    return replace(program, setup=build, recycle=None, smaller=None)
