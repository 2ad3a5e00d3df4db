"""Bugs that CPython's library has had with threads: the old logic in small, and its mended twin.

Each is written anew over plain ``threading``, with no more of the original than the bug
needs; ``BUGS`` cites the tracker.  bpo-N is bugs.python.org/issueN, gh-N is
github.com/python/cpython/issues/N.  Where the original relies on that one operation of a
list or dict is indivisible, and not on a lock, the class is a State with atomic fields.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import racebench as rb


@dataclass(frozen=True)
class Bug:
    """``old`` has it, ``mended`` has not; ``threads`` are the methods that run at the same time."""

    cites: str
    old: type
    mended: type
    threads: tuple[str, ...]
    finds: frozenset[str]
    """All the rules that are found."""
    right: Callable[[dict[str, Any]], bool] = lambda results: True
    """Whether the threads' results are; if not, the rule is ``wrong``."""


class AllDone:
    """``wait`` counts the futures that are pending: two that end at once count as one."""

    def __init__(self) -> None:
        self.pending, self.lock, self.done = 2, threading.Lock(), threading.Event()

    def complete(self) -> None:
        self.pending -= 1
        if not self.pending:
            self.done.set()

    def wait(self) -> None:
        self.done.wait()


class AllDoneMended(AllDone):
    def complete(self) -> None:
        with self.lock:
            self.pending -= 1
            if not self.pending:
                self.done.set()


class Waiters:
    """A future tells its waiters in turn; one that leaves meanwhile hides the next."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.impatient, self.patient = threading.Event(), threading.Event()
        self.waiters = [self.impatient, self.patient]

    def complete(self) -> None:
        with self.lock:
            for waiter in self.waiters:
                waiter.set()

    def wait_in_time(self) -> None:
        self.impatient.wait(1)
        self.waiters.remove(self.impatient)

    def wait(self) -> None:
        self.patient.wait()


class WaitersMended(Waiters):
    def wait_in_time(self) -> None:
        self.impatient.wait(1)
        with self.lock:
            self.waiters.remove(self.impatient)


class Cancelled:
    """Who empties the queue at shutdown cancels what was in it, and tells nobody who waits for it."""

    def __init__(self) -> None:
        self.lock, self.told = threading.Lock(), threading.Event()
        self.queue, self.cancelled = ["future"], False

    def work(self) -> None:
        with self.lock:
            if self.queue:
                self.queue.pop()
                self.told.set()

    def shutdown(self) -> None:
        with self.lock:
            if self.queue:
                self.queue.pop()
                self.cancelled = True

    def wait(self) -> None:
        self.told.wait()


class CancelledMended(Cancelled):
    def shutdown(self) -> None:
        with self.lock:
            if self.queue:
                self.queue.pop()
                self.cancelled = True
                self.told.set()


class AtExit:
    """A pool may start a worker when the interpreter has already listed those that it joins."""

    def __init__(self) -> None:
        self.lock, self.exiting = threading.Lock(), False
        self.workers: list[str] = []

    def submit(self) -> list[str]:
        if not self.exiting:
            with self.lock:
                self.workers.append("worker")
            return ["worker"]
        return []

    def exit(self) -> list[str]:
        self.exiting = True
        with self.lock:
            return list(self.workers)


class AtExitMended(AtExit):
    def submit(self) -> list[str]:
        with self.lock:
            if not self.exiting:
                self.workers.append("worker")
                return ["worker"]
            return []

    def exit(self) -> list[str]:
        with self.lock:
            self.exiting = True
            return list(self.workers)


class Memory:
    """A handler of logging is told of its new target while it empties itself into the old one."""

    def __init__(self) -> None:
        self.lock, self.buffer = threading.RLock(), ["record"]
        self.target: list[str] | None = []

    def flush(self) -> None:
        with self.lock:
            if self.target is not None:
                for record in self.buffer:
                    self.target.append(record)

    def set_target(self) -> None:
        self.target = None


class MemoryMended(Memory):
    def set_target(self) -> None:
        with self.lock:
            self.target = None


class Logger(rb.State):
    """To remove a handler shifts the others under who goes through them."""

    handlers = rb.shared(None, atomic=True)

    def __init__(self) -> None:
        self.handlers = ["file", "screen"]

    def log(self) -> list[str]:
        return [handler for handler in self.handlers]

    def remove(self) -> None:
        self.handlers.remove("file")


class LoggerMended(Logger):
    def remove(self) -> None:
        self.handlers = [handler for handler in list(self.handlers) if handler != "file"]


class Lines(rb.State):
    """Two threads drop the same stale entry of a cache, each going through what it finds there."""

    cache = rb.shared(None, atomic=True)

    def __init__(self) -> None:
        self.cache = {"file.py": "stale"}

    def check(self) -> None:
        for name in list(self.cache):
            del self.cache[name]


class LinesMended(Lines):
    def check(self) -> None:
        for name in self.cache.copy():
            self.cache.pop(name, None)


class Types(rb.State):
    """The tables are said to be there before they are; the original called itself until it could no more."""

    ready = rb.shared(False, atomic=True)
    table = rb.shared(None, atomic=True)

    def initialise(self) -> None:
        self.ready = True
        self.table = {".txt": "text/plain"}

    def guess(self) -> str:
        if not self.ready:
            self.initialise()
        return str(self.table[".txt"])


class TypesMended(Types):
    def initialise(self) -> None:
        self.table = {".txt": "text/plain"}
        self.ready = True


class Cached:
    """A lock for each cached property, shared by all objects that have it."""

    def __init__(self) -> None:
        self.of_size, self.of_depth = threading.RLock(), threading.RLock()
        self.sizes: dict[str, int] = {}
        self.depths: dict[str, int] = {}

    def size(self, of: str, needs: str = "") -> int:
        with self.of_size:
            if of not in self.sizes:
                self.sizes[of] = 1 + (self.depth(needs) if needs else 0)
            return self.sizes[of]

    def depth(self, of: str, needs: str = "") -> int:
        with self.of_depth:
            if of not in self.depths:
                self.depths[of] = 1 + (self.size(needs) if needs else 0)
            return self.depths[of]

    def size_by_depth(self) -> int:
        return self.size("parent", "child")

    def depth_by_size(self) -> int:
        return self.depth("uncle", "cousin")


class CachedMended(rb.State, Cached):
    """Without a lock a value may be computed twice; it is the same one."""

    sizes = rb.shared(None, atomic=True)
    depths = rb.shared(None, atomic=True)

    def size(self, of: str, needs: str = "") -> int:
        if of not in self.sizes:
            self.sizes[of] = 1 + (self.depth(needs) if needs else 0)
        return int(self.sizes[of])

    def depth(self, of: str, needs: str = "") -> int:
        if of not in self.depths:
            self.depths[of] = 1 + (self.size(needs) if needs else 0)
        return int(self.depths[of])


class Member:
    """Two members of an archive read one file; where one is, it asks the file."""

    def __init__(self) -> None:
        self.lock, self.place_in_file = threading.Lock(), 0
        self.first_at, self.second_at = 0, 10

    def tell(self) -> int:
        return self.place_in_file

    def read_first(self) -> int:
        with self.lock:
            self.place_in_file = self.first_at
            self.place_in_file += 1
            self.first_at = self.place_in_file
        return self.tell()

    def read_second(self) -> int:
        with self.lock:
            self.place_in_file = self.second_at
            self.place_in_file += 1
            self.second_at = self.place_in_file
            return self.second_at


class MemberMended(Member):
    def tell(self) -> int:
        return self.first_at


class Child(rb.State):
    """``poll`` says that a child runs on because somebody else asks at the same time; it has ended."""

    code = rb.shared(None, atomic=True)

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def wait(self) -> int:
        with self.lock:
            if self.code is None:
                self.code = 0
        return int(self.code)

    def poll(self) -> int | None:
        if self.code is None:
            if not self.lock.acquire(False):
                return None
            try:
                self.code = 0
            finally:
                self.lock.release()
        return int(self.code)


class ChildMended(Child):
    def poll(self) -> int | None:
        with self.lock:
            if self.code is None:
                self.code = 0
        return int(self.code)


def _all_joined(results: dict[str, Any]) -> bool:
    return set(results["submit"]) <= set(results["exit"])


def _bug(cites: str, old: type, mended: type, threads: str, *finds: str, **how: Any) -> Bug:
    return Bug(cites, old, mended, tuple(threads.split()), frozenset(finds), **how)


BUGS: dict[str, Bug] = {
    "futures.wait counts": _bug(
        *("bpo-14406", AllDone, AllDoneMended, "complete complete wait", "deadlock.wait", "data_race")
    ),
    "futures.wait leaves": _bug(
        *("bpo-20319", Waiters, WaitersMended, "complete wait_in_time wait", "deadlock.wait")
    ),
    "futures cancelled at shutdown": _bug(
        *("bpo-43727 (gh-87893)", Cancelled, CancelledMended, "work shutdown wait", "deadlock.wait")
    ),
    "futures at exit": _bug(
        *("bpo-31783 (gh-75964)", AtExit, AtExitMended, "submit exit", "wrong", "data_race"),
        right=_all_joined,
    ),
    "MemoryHandler.setTarget": _bug(
        *("bpo-41503 (gh-85675)", Memory, MemoryMended, "flush set_target", "program.error", "data_race")
    ),
    "Logger.removeHandler": _bug(
        *("bpo-35185 (gh-79366)", Logger, LoggerMended, "log remove", "wrong"),
        right=lambda results: "screen" in results["log"],
    ),
    "linecache.checkcache": _bug(
        *("bpo-25872, gh-126775", Lines, LinesMended, "check check", "program.error")
    ),
    "mimetypes.init": _bug("bpo-5853", Types, TypesMended, "guess guess", "program.error"),
    "functools.cached_property": _bug(
        *("bpo-43468 (gh-87634)", Cached, CachedMended, "size_by_depth depth_by_size"),
        *("deadlock.cycle", "lock_order.inversion"),
    ),
    "zipfile tell": _bug(
        *("bpo-42369 (gh-86535)", Member, MemberMended, "read_first read_second", "wrong", "data_race"),
        right=lambda results: results["read_first"] == 1,
    ),
    "Popen.poll": _bug(
        *("gh-127050", Child, ChildMended, "wait poll", "wrong"),
        right=lambda results: results["poll"] == 0,
    ),
}
