"""The small bugs that the literature measures strategies with, each with its healthy twin.

After the CS and CB programs of SCTBench, as the published means of SURW, POS
and PCT were taken on them: the same threads in the same numbers, the same
accesses under the same locks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import racebench as rb


def deadlock01(second: str = "ba") -> rb.Program:
    """Two locks, two orders.  Healthy: ``second="ab"``."""

    class Counter(rb.State):
        value = rb.shared(1)

        def __init__(self) -> None:
            self.locks = {"a": rb.Lock("a"), "b": rb.Lock("b")}

    def step(order: str, by: int) -> Callable[[Counter], None]:
        def run(s: Counter) -> None:
            with s.locks[order[0]], s.locks[order[1]]:
                s.value += by

        return run

    return rb.Program("deadlock01", setup=Counter, threads={"one": step("ab", 1), "two": step(second, -1)})


def account(expected: int = -5) -> rb.Program:
    """Every step is locked; the expectation is wrong, and seen only last.  Healthy: ``expected=-1``."""

    class Account(rb.State):
        balance = rb.shared(1)
        deposited = rb.shared(False)
        withdrawn = rb.shared(False)

        def __init__(self) -> None:
            self.lock = rb.Lock("account")

    def check(s: Account) -> None:
        with s.lock:
            if s.deposited and s.withdrawn:
                rb.check_that(s.balance == expected, "account.balance", "not what was expected")

    def deposit(s: Account) -> None:
        with s.lock:
            s.balance += 2
            s.deposited = True

    def withdraw(s: Account) -> None:
        with s.lock:
            s.balance -= 4
            s.withdrawn = True

    threads = {"check": check, "deposit": deposit, "withdraw": withdraw}
    return rb.Program("account", setup=Account, threads=threads)


def wronglock(others: int = 7, right: bool = False) -> rb.Program:
    """One thread guards the value with one lock, the others with another.  Healthy: ``right=True``."""

    class Data(rb.State):
        value = rb.shared(0)

        def __init__(self) -> None:
            self.mine = rb.Lock("data")
            self.theirs = self.mine if right else rb.Lock("this")

    def checked(s: Data) -> None:
        with s.mine:
            before = s.value
            s.value += 1
            rb.check_that(s.value == before + 1, "wronglock.lost", "the value moved under the lock")

    def unchecked(s: Data) -> None:
        with s.theirs:
            s.value += 1

    threads: dict[str, Any] = {"checked": checked}
    threads |= {f"other{i}": unchecked for i in range(others)}
    return rb.Program("wronglock", setup=Data, threads=threads)


class Text(rb.State):
    """A string buffer whose every method is locked."""

    text = rb.shared("")
    count = rb.shared(0)

    def __init__(self, name: str) -> None:
        self.lock = rb.Lock(name)

    def length(self) -> int:
        with self.lock:
            return self.count

    def get_chars(self, end: int) -> str:
        with self.lock:
            return self._chars(end)

    def _chars(self, end: int) -> str:
        rb.check_that(end <= self.count, "stringbuffer.end", "asked for more than there is")
        return self.text[:end]

    def erase(self) -> None:
        with self.lock:
            if self.count:
                self.text = ""
                self.count = 0

    def append_text(self, more: str) -> None:
        with self.lock:
            self.text += more
            self.count += len(more)

    def append(self, source: Text) -> None:
        """As in JDK 1.4: ``source`` may shrink between its length and its characters."""
        with self.lock:
            n = source.length()
            self.text += source.get_chars(n)
            self.count += n

    def append_whole(self, source: Text) -> None:
        with self.lock, source.lock:
            n = source.count
            self.text += source._chars(n)
            self.count += n


def stringbuffer(append: Callable[[Text, Text], None] = Text.append) -> rb.Program:
    """Healthy: ``append=Text.append_whole``."""

    class Buffers(rb.State):
        def __init__(self) -> None:
            self.source, self.target = Text("source"), Text("target")
            self.source.append_text("abc")

    def edit(s: Buffers) -> None:
        s.source.erase()
        s.source.append_text("abc")

    threads = {"edit": edit, "copy": lambda s: append(s.target, s.source)}
    return rb.Program("stringbuffer", setup=Buffers, threads=threads)


def reorder(setters: int, checkers: int) -> rb.Program:
    """Setters write a, then b; a checker between the first a and the first b sees half."""

    class Pair(rb.State):
        a = rb.shared(0)
        b = rb.shared(0)

    def setter(s: Pair) -> None:
        s.a = 1
        s.b = -1

    def checker(s: Pair) -> None:
        whole = (s.a == 0 and s.b == 0) or (s.a == 1 and s.b == -1)
        rb.check_that(whole, "reorder.half", "a is set and b is not")

    threads: dict[str, Any] = {f"set{i}": setter for i in range(setters)}
    threads |= {f"check{i}": checker for i in range(checkers)}
    return rb.Program(f"reorder_{setters + checkers}", setup=Pair, threads=threads)


def twostage(writers: int, readers: int) -> rb.Program:
    """Each stage is locked, the two together are not."""

    class Stages(rb.State):
        first = rb.shared(0)
        second = rb.shared(0)

        def __init__(self) -> None:
            self.lock1, self.lock2 = rb.Lock("first"), rb.Lock("second")

    def write(s: Stages) -> None:
        with s.lock1:
            s.first = 1
        with s.lock2:
            s.second = s.first + 1

    def read(s: Stages) -> None:
        with s.lock1:
            if s.first == 0:
                return
            first = s.first
        with s.lock2:
            second = s.second
        rb.check_that(second == first + 1, "twostage.half", "the second stage is missing")

    threads: dict[str, Any] = {f"write{i}": write for i in range(writers)}
    threads |= {f"read{i}": read for i in range(readers)}
    return rb.Program(f"twostage_{writers + readers}", setup=Stages, threads=threads)


def in_turn(program: rb.Program) -> rb.Program:
    """``program`` with its threads started one after another by a thread ``main``, as C programs do.

    Our threads all start at once.  The published means are of programs whose
    first threads may be done before the last ones exist, which hides a bug
    that needs both.
    """

    def setup() -> Any:
        state = program.setup()
        state.started = [rb.Semaphore(0, "start", i) for i in range(len(program.threads))]
        return state

    def main(s: Any) -> None:
        for start in s.started:
            start.release()

    def waiting(i: int, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def run(s: Any) -> Any:
            s.started[i].acquire()
            return function(s)

        return run

    threads = {"main": main}
    threads |= {name: waiting(i, f) for i, (name, f) in enumerate(program.threads.items())}
    return replace(program, name=f"{program.name} in turn", setup=setup, threads=threads)


BUGS: dict[str, rb.Program] = {
    "deadlock01": deadlock01(),
    "account": account(),
    "wronglock": wronglock(),
    "stringbuffer": stringbuffer(),
    "reorder_3": reorder(2, 1),
    "reorder_5": reorder(4, 1),
    "reorder_10": reorder(9, 1),
    "reorder_20": reorder(10, 10),
    "twostage_20": twostage(10, 10),
    "twostage_50": twostage(40, 10),
    "twostage_100": twostage(99, 1),
}

HEALTHY: dict[str, rb.Program] = {
    "deadlock01": deadlock01(second="ab"),
    "account": account(expected=-1),
    "wronglock": wronglock(right=True),
    "stringbuffer": stringbuffer(Text.append_whole),
}
