"""A protocol with one of its lock acquisitions taken away, or two swapped.

A site is a function and a lock class: ``gic_route_irq_to_guest``, ``rank``.
The locks of a machine are replaced by ones that know where they are taken, so
any protocol can be changed without touching its code, a user's as well.

Lock order: whatever the protocol's is, less a site, or with two of them the
other way round.
Guarantees: an assertion that a lock is held is not broken by its being taken
away: ``locked()`` answers as if it were there.
Assumes: the inner lock of a swapped pair is the one that the same thread took
there in a run by itself; where that run took none the order stays as it is.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ..primitives import Lock, State
from ..program import Program

PLUMBING = ("__enter__", "acquire")


@dataclass(frozen=True, slots=True, order=True)
class LockSite:
    """The acquisition of a lock of class ``lock`` in ``function``."""

    function: str
    lock: str

    def __str__(self) -> str:
        return f"{self.lock} in {self.function}"


@dataclass(frozen=True, slots=True)
class Change:
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


@dataclass
class Watch:
    """Where locks are taken, and what is to be changed there.

    ``sites`` and ``pairs`` (outer, inner) grow as code runs; ``taken`` maps an
    outer site and its lock's name to the name of the inner lock.  Written by
    whoever runs: single items are added, which needs no lock, and nothing is
    read before the run is over.
    """

    change: Change | None = None
    sites: set[LockSite] = field(default_factory=set)
    pairs: set[tuple[LockSite, LockSite]] = field(default_factory=set)
    taken: dict[tuple[LockSite, LockSite, str], str] = field(default_factory=dict)
    stacks: dict[int, list[tuple[LockSite, WatchedLock, str]]] = field(default_factory=dict)
    locks: dict[str, WatchedLock] = field(default_factory=dict)


class WatchedLock(Lock):
    """A lock that asks its ``watch`` what to do at the site that takes it.

    ``_marks`` has for each thread, innermost last, what its acquisitions did:
    "real", "none" for one that was taken away, or the inner lock that was
    taken before.  Only the thread itself touches its own list.
    """

    watch: Watch

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(cls, index)
        self._marks: dict[int, list[Any]] = {}

    def __enter__(self) -> bool:
        self._take(_caller())
        return True

    def acquire(self, blocking: bool = True) -> bool:
        if not blocking:
            taken = super().acquire(False)
            if taken:
                self._mark("real", LockSite(_caller(), self.cls))
            return taken
        self._take(_caller())
        return True

    def _take(self, function: str) -> None:
        site = LockSite(function, self.cls)
        change = self.watch.change
        if change is not None and change.remove == site:
            self._mark("none", site)
            return
        if change is not None and change.outer == site:
            inner = self._inner(change, site)
            if inner is not None:
                inner._early(inner)
                super().acquire()
                self._mark(inner, site)
                return
        if change is not None and change.inner == site and self._is_early():
            self._mark("early", site)
            return
        super().acquire()
        self._mark("real", site)

    def _inner(self, change: Change, site: LockSite) -> WatchedLock | None:
        assert change.inner is not None
        name = self.watch.taken.get((site, change.inner, self.name))
        return None if name is None else self.watch.locks.get(name)

    def _early(self, inner: WatchedLock) -> None:
        Lock.acquire(inner) if type(inner) is WatchedLock else super().acquire()
        inner._marks.setdefault(threading.get_ident(), []).append("held early")

    def _is_early(self) -> bool:
        return "held early" in self._marks.get(threading.get_ident(), ())

    def _mark(self, what: Any, site: LockSite) -> None:
        me = threading.get_ident()
        self._marks.setdefault(me, []).append(what)
        watch = self.watch
        stack = watch.stacks.setdefault(me, [])
        watch.sites.add(site)
        for outer, lock, name in stack:
            if lock is not self:
                watch.pairs.add((outer, site))
                watch.taken.setdefault((outer, site, name), self.name)
        stack.append((site, self, self.name))

    def __exit__(self, *exc: object) -> None:
        self.release()

    def release(self) -> None:
        me = threading.get_ident()
        marks = self._marks.get(me)
        stack = self.watch.stacks.get(me, [])
        for i in range(len(stack) - 1, -1, -1):
            if stack[i][1] is self:
                del stack[i]
                break
        mark = marks.pop() if marks else "real"
        if mark in ("none", "early"):
            return
        super().release()
        if isinstance(mark, WatchedLock):
            mark._late()

    def _late(self) -> None:
        """The outer lock of a swapped pair is free: so is the one taken before it."""
        marks = self._marks.get(threading.get_ident(), [])
        if "held early" in marks:
            marks.remove("held early")
        super().release()

    def locked(self) -> bool:
        return super().locked() or any("none" in marks for marks in list(self._marks.values()))


def _caller() -> str:
    """The function of the code under test that takes a lock."""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_code.co_name in PLUMBING:
        frame = frame.f_back
    return frame.f_code.co_name if frame is not None else "?"


def watched(program: Program, watch: Watch, states: Callable[[Any], Iterable[State]]) -> Program:
    """``program`` with every Lock of its states replaced by a WatchedLock of ``watch``.

    ``states(state)`` gives the State objects of what ``setup`` made.
    """

    class Own(WatchedLock):
        pass

    Own.watch = watch
    setup = program.setup

    def build() -> Any:
        state = setup()
        watch.stacks.clear()
        watch.locks.clear()
        for part in states(state):
            for name, lock in list(vars(part).items()):
                if isinstance(lock, Lock) and not isinstance(lock, WatchedLock):
                    own = Own(lock.cls, lock.index)
                    setattr(part, name, own)
                    watch.locks[own.name] = own
        return state

    return replace(program, setup=build, recycle=None, smaller=None)
