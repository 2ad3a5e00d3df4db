"""Small programs in which waits time out: a bounded queue that loses something, and its healthy twin."""

from __future__ import annotations

from typing import Any

import racebench as rb


class Queue(rb.State):
    """A queue with room for one."""

    items = rb.shared(0)

    def __init__(self) -> None:
        self.lock = rb.Lock("queue")
        self.filled = rb.Condition(self.lock, "filled")


def puts(s: Queue) -> None:
    with s.lock:
        s.items += 1
        s.filled.notify()


def _takes(s: Queue) -> bool:
    """One that was told of an item may find it taken."""
    if not s.items:
        return False
    s.items -= 1
    return True


def gets(s: Queue) -> None:
    with s.lock:
        while not _takes(s):
            s.filled.wait()


def looks_again(s: Queue) -> bool:
    """Takes what came while it was late."""
    with s.lock:
        if not s.items:
            s.filled.wait(timeout=1)
        return _takes(s)


def passes_on(s: Queue) -> bool:
    """Does not want it any more, and tells the next one."""
    with s.lock:
        if not s.items and not s.filled.wait(timeout=1):
            s.filled.notify()
            return False
        return _takes(s)


def gives_up(s: Queue) -> bool:
    """Leaves what came, and the notification with it, when the time is over."""
    with s.lock:
        return (bool(s.items) or s.filled.wait(timeout=1)) and _takes(s)


def queue(first: Any) -> rb.Program:
    """``first`` gets with a timeout, another for as long as it takes; an item for the other comes always."""

    def late(s: Queue) -> None:
        if first(s):
            puts(s)

    return rb.Program("queue", Queue, {"late": late, "waits": gets, "puts": puts})


class Slots(rb.State):
    """A pool of one slot."""

    def __init__(self) -> None:
        self.slots = rb.BoundedSemaphore(1, "slots")


def _keeps(s: Slots) -> None:
    """Gives the slot back only if it got it in time; else somebody's."""
    s.slots.acquire(timeout=1)
    s.slots.release()


def _returns(s: Slots) -> None:
    if s.slots.acquire(timeout=1):
        s.slots.release()


def slots(healthy: bool) -> rb.Program:
    user = _returns if healthy else _keeps
    return rb.Program("slots", Slots, {"a": user, "b": user})


class Door(rb.State):
    def __init__(self) -> None:
        self.open = rb.Event("open")


def _opens(s: Door) -> None:
    s.open.set()


def _opens_and_closes(s: Door) -> None:
    s.open.set()
    s.open.clear()


def door(healthy: bool) -> rb.Program:
    """One goes through a door; it may be shut again before that one has come to it."""
    other = _opens if healthy else _opens_and_closes
    return rb.Program("door", Door, {"goes": lambda s: s.open.wait(), "opens": other})


class Party(rb.State):
    done = rb.shared(0)

    def __init__(self) -> None:
        self.barrier = rb.Barrier(2, cls="party")


def _waits(s: Party) -> None:
    s.barrier.wait()


def _is_late(s: Party) -> None:
    """Gives up where the other one has no idea of it."""
    s.barrier.wait(timeout=1)


def _makes_do(s: Party) -> str:
    try:
        s.barrier.wait(timeout=1)
    except rb.BrokenBarrierError:
        return "alone"
    return "together"


def _agree(s: Party, results: dict[str, Any]) -> Any:
    return None if len(set(results.values())) == 1 else rb.broken("party.split", str(results))


def party(healthy: bool) -> rb.Program:
    if healthy:
        return rb.Program("party", Party, {"a": _makes_do, "b": _makes_do}, check=_agree)
    return rb.Program("party", Party, {"a": _is_late, "b": _waits})


class Counter(rb.State):
    def __init__(self) -> None:
        self.value = rb.Atomic(0, "value")


def _adds(s: Counter) -> None:
    s.value.fetch_add(1)


def _retries(s: Counter) -> None:
    while not s.value.compare_exchange(old := s.value.load(), old + 1):
        pass


def _loads_and_stores(s: Counter) -> None:
    s.value.store(s.value.load() + 1)


def _is_two(s: Counter, results: dict[str, Any]) -> Any:
    return None if s.value.load() == 2 else rb.broken("counter.lost", f"value {s.value.load()}")


def counter(healthy: bool) -> rb.Program:
    user = _adds if healthy else _loads_and_stores
    return rb.Program("counter", Counter, {"a": user, "b": user}, check=_is_two)


def retried() -> rb.Program:
    return rb.Program("retried", Counter, {"a": _retries, "b": _retries}, check=_is_two)


BUGGY: dict[str, tuple[rb.Program, str]] = {
    "a notification is wasted on one who is late": (queue(gives_up), "deadlock.wait"),
    "a slot is given back that was not had": (slots(False), "program.error"),
    "an event is cleared before one has come": (door(False), "deadlock.wait"),
    "a barrier breaks where nobody minds": (party(False), "program.error"),
    "an atomic value is read and written in two steps": (counter(False), "counter.lost"),
}
HEALTHY: dict[str, rb.Program] = {
    "who is late looks again": queue(looks_again),
    "who is late passes the notification on": queue(passes_on),
    "a slot is given back if it was had": slots(True),
    "an event stays set": door(True),
    "all of a broken barrier know": party(True),
    "an atomic value is added to in one": counter(True),
    "an exchange that fails is tried again": retried(),
}
