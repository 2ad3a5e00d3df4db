"""Protocols over stores that are seen late: right with their fences; some are told without one, as faulty.

The reason in all: what was stored before a fence is seen before what is stored
after it, and with ``smp_mb`` between its store and its look one of two sees the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import racebench as rb

from .correct_programs import Thread, correct


class Late(rb.State):
    flag = rb.shared(0, atomic=True, delayed=True)
    done = rb.shared(0, atomic=True, delayed=True)
    x = rb.shared(0, atomic=True, delayed=True)
    y = rb.shared(0, atomic=True, delayed=True)
    turn = rb.shared(0, atomic=True, delayed=True)
    link = rb.shared(None, atomic=True, delayed=True)
    data = rb.shared(0, delayed=True)
    more = rb.shared(0, delayed=True)
    plain = rb.shared(0)

    def __init__(self) -> None:
        self.a = rb.Lock("a")
        self.sem = rb.Semaphore(0, "sem")
        self.cell = Cell()


class Cell(rb.State):
    value = rb.shared(0, delayed=True)


FENCE: Callable[[], None] = rb.smp_mb


def nothing() -> None:
    """In the place of a fence that was forgotten."""


def teller(fence: Callable[[], None] = FENCE, field: str = "data", flag: str = "flag") -> Thread:
    def tell(s: Late) -> None:
        setattr(s, field, 1)
        fence()
        setattr(s, flag, 1)

    return tell


def asker(field: str = "data", flag: str = "flag") -> Thread:
    def ask(s: Late) -> Any:
        return getattr(s, field) if getattr(s, flag) else None

    return ask


def waiter(field: str = "data", flag: str = "flag") -> Thread:
    def wait(s: Late) -> Any:
        rb.wait_until(lambda: getattr(s, flag))
        return getattr(s, field)

    return wait


def entry(mine: str, theirs: str, fence: Callable[[], None] = FENCE, leave: bool = False) -> Thread:
    """Dekker's: whoever sees the other stays out; ``leave`` lets the other in again."""

    def enter(s: Late) -> None:
        setattr(s, mine, 1)
        fence()
        if not getattr(s, theirs):
            s.data += 1
            s.plain += 1
            rb.smp_wmb()
        if leave:
            setattr(s, mine, 0)

    return enter


def peterson(me: str, you: str, number: int, fence: Callable[[], None] = FENCE) -> Thread:
    def enter(s: Late) -> None:
        setattr(s, me, 1)
        rb.smp_wmb()
        s.turn = number
        fence()
        rb.wait_until(lambda: not getattr(s, you) or s.turn != number)
        s.plain += 1
        setattr(s, me, 0)

    return enter


def publish(fence: Callable[[], None] = FENCE) -> Thread:
    def run(s: Late) -> None:
        s.cell.value = 7
        fence()
        s.link = s.cell

    return run


def follow(s: Late) -> Any:
    cell = s.link
    return cell.value if cell is not None else None


def hazard(fence: Callable[[], None] = FENCE) -> tuple[Thread, Thread]:
    """A reader announces what it uses (x); who takes it away (y) waits until nobody uses it."""

    def read(s: Late) -> Any:
        s.x = 1
        fence()
        used = s.plain if not s.y else None
        s.x = 0
        return used

    def retire(s: Late) -> None:
        s.y = 1
        fence()
        rb.wait_until(lambda: not s.x)
        s.plain = 9

    return read, retire


FAULTY: dict[str, tuple[Thread, ...]] = {
    "message": (teller(nothing), asker()),
    "message_waited_for": (teller(nothing), waiter()),
    "entry": (entry("x", "y", nothing), entry("y", "x", nothing)),
    "entry_and_leave": (entry("x", "y", nothing, True), entry("y", "x", nothing, True)),
    "peterson": (peterson("x", "y", 0, nothing), peterson("y", "x", 1, nothing)),
    "publication": (publish(nothing), follow),
    "hazard": hazard(nothing),
}
"""The same protocols with their fences forgotten: each is a data race."""


@correct
def message() -> dict[str, Any]:
    """The fence lies between the data and the flag."""
    return {"setup": Late, "a": teller(), "b": asker()}


@correct
def message_waited_for() -> dict[str, Any]:
    """As message; the reader waits."""
    return {"setup": Late, "a": teller(rb.smp_wmb), "b": waiter()}


@correct
def message_of_a_field_seen_at_once() -> dict[str, Any]:
    """What is not delayed is there before the flag."""
    return {"setup": Late, "a": teller(nothing, "plain"), "b": asker("plain")}


@correct
def message_handed_on() -> dict[str, Any]:
    """b has seen the data when it tells c."""

    def b(s: Late) -> None:
        rb.wait_until(lambda: s.flag)
        s.more = s.data
        rb.smp_wmb()
        s.done = 1

    return {"setup": Late, "a": teller(), "b": b, "c": waiter("more", "done")}


@correct
def message_and_answer() -> dict[str, Any]:
    """Each side writes before its fence and reads after the other's flag."""

    def ask(s: Late) -> None:
        teller()(s)
        rb.wait_until(lambda: s.done)
        s.data += s.more

    def answer(s: Late) -> None:
        rb.wait_until(lambda: s.flag)
        s.more = s.data + 1
        rb.smp_wmb()
        s.done = 1

    return {"setup": Late, "a": ask, "b": answer, "ends": {"data": 3}}


@correct
def two_writes_under_one_fence() -> dict[str, Any]:
    """The fence lies after both."""

    def tell(s: Late) -> None:
        s.data = s.more = 1
        rb.smp_wmb()
        s.flag = 1

    def ask(s: Late) -> Any:
        return (s.data, s.more) if s.flag else None

    return {"setup": Late, "a": tell, "b": ask}


@correct
def message_through_a_lock_s_fence() -> dict[str, Any]:
    """A release is a fence: the data is there before the flag."""

    def tell(s: Late) -> None:
        with s.a:
            s.data = 1
        s.flag = 1

    return {"setup": Late, "a": tell, "b": asker()}


@correct
def message_through_a_semaphore() -> dict[str, Any]:
    """up is a fence, and down comes after it."""

    def tell(s: Late) -> None:
        s.data = 1
        s.sem.release()

    def hear(s: Late) -> Any:
        s.sem.acquire()
        return s.data

    return {"setup": Late, "a": tell, "b": hear}


@correct
def late_fields_under_a_lock() -> dict[str, Any]:
    """The lock orders them, and its release empties the buffer."""

    def both(s: Late) -> None:
        with s.a:
            s.data += 1

    return {"setup": Late, "a": both, "b": both, "ends": {"data": 2}}


@correct
def entry_keeps_one_out() -> dict[str, Any]:
    """Both fence and then look, so at most one sees nobody."""
    return {"setup": Late, "a": entry("x", "y"), "b": entry("y", "x")}


@correct
def entry_after_leaving() -> dict[str, Any]:
    """Who sees that the other has left, sees what it did: a fence lies before the leaving."""
    return {"setup": Late, "a": entry("x", "y", leave=True), "b": entry("y", "x", leave=True)}


@correct
def peterson_s_lock() -> dict[str, Any]:
    """Flags and turn are out before the look; the turn goes to one."""
    return {"setup": Late, "a": peterson("x", "y", 0), "b": peterson("y", "x", 1), "ends": {"plain": 2}}


@correct
def publication() -> dict[str, Any]:
    """The cell is filled, fenced, then linked."""
    return {"setup": Late, "a": publish(rb.smp_wmb), "b": follow}


@correct
def hazard_pointer() -> dict[str, Any]:
    """Either the reader sees that it is retired, or who retires sees the reader and waits."""
    read, retire = hazard()
    return {"setup": Late, "a": read, "b": retire}


@correct
def two_readers_of_a_message() -> dict[str, Any]:
    """Reading does not race with reading."""
    return {"setup": Late, "a": teller(), "b": asker(), "c": asker()}


@correct
def its_own_store_is_its_own() -> dict[str, Any]:
    """A thread sees its own stores at once; nobody else looks at the data."""

    def alone(s: Late) -> None:
        s.data = 1
        rb.check_that(s.data == 1, "own.store", "not seen")

    return {"setup": Late, "a": alone, "b": lambda s: s.flag}


@correct
def atomic_late_counters() -> dict[str, Any]:
    """Atomic fields race with nobody; each has one writer, so its end is known."""

    def one(s: Late) -> None:
        s.x = 1
        s.x = s.y + 2

    def two(s: Late) -> None:
        s.y = 1

    return {"setup": Late, "a": one, "b": two, "ends": {"y": 1}}


@correct
def message_to_a_handler() -> dict[str, Any]:
    """An interrupt finds the stores of its own processor made, and no other one looks."""

    def thread(s: Late) -> None:
        s.data = 1
        s.flag = 1

    return {"setup": Late, "a": thread, "b": lambda s: s.x, "interrupts": {"irq": ("a", asker())}}
