"""Small programs that have nothing to do with interrupts, each bug with its healthy twin."""

from __future__ import annotations

from typing import Any

import racebench as rb


class Account(rb.State):
    balance = rb.shared(0)

    def __init__(self) -> None:
        self.lock = rb.Lock("account")
        self.log = rb.Lock("log")


def _balance_is_two(s: Account, results: dict[str, Any]) -> rb.Broken | None:
    return None if s.balance == 2 else rb.broken("account.lost", f"balance {s.balance}")


def locked_deposit(s: Account) -> None:
    with s.lock:
        s.balance += 1


def racy_deposit(s: Account) -> None:
    s.balance += 1


def account(deposit: Any) -> rb.Program:
    return rb.Program("account", setup=Account, threads={"a": deposit, "b": deposit}, check=_balance_is_two)


def account_then_log(s: Account) -> None:
    with s.lock, s.log:
        s.balance += 1


def log_then_account(s: Account) -> None:
    with s.log, s.lock:
        s.balance += 1


def abba(second: Any = log_then_account) -> rb.Program:
    return rb.Program("abba", setup=Account, threads={"a": account_then_log, "b": second})


class Ring(rb.State):
    def __init__(self) -> None:
        self.locks = [rb.Lock("fork", i) for i in range(3)]


def _diner(i: int, bystander: bool = False) -> Any:
    def dine(s: Ring) -> None:
        with s.locks[i], s.locks[(i + 1) % 3]:
            pass

    return dine


def dining() -> rb.Program:
    return rb.Program("dining", setup=Ring, threads={f"d{i}": _diner(i) for i in range(3)})


class Buffer(rb.State):
    """One producer, one consumer, one slot."""

    item = rb.shared(None)

    def __init__(self) -> None:
        self.lock = rb.Lock("buffer")
        self.changed = rb.Condition(self.lock, "changed")


def produce(s: Buffer) -> None:
    with s.changed:
        s.item = 7
        s.changed.notify()


def produce_silently(s: Buffer) -> None:
    with s.changed:
        s.item = 7


def consume(s: Buffer) -> Any:
    with s.changed:
        s.changed.wait_for(lambda: s.item is not None)
        return s.item


def consume_without_looking(s: Buffer) -> Any:
    with s.changed:
        s.changed.wait()
        return s.item


def buffer(producer: Any = produce, consumer: Any = consume) -> rb.Program:
    def check(s: Buffer, results: dict[str, Any]) -> rb.Broken | None:
        return None if results["consumer"] == 7 else rb.broken("buffer.empty", "nothing consumed")

    return rb.Program(
        "buffer", setup=Buffer, threads={"producer": producer, "consumer": consumer}, check=check
    )


class Gate(rb.State):
    inside = rb.shared(0, atomic=True)
    most = rb.shared(0)
    open = rb.shared(False, atomic=True)

    def __init__(self, n: int = 1) -> None:
        self.slots = rb.Semaphore(n, "slots")
        self.rw = rb.RWLock("rw")
        self.value = [0, 0]


def through_semaphore(s: Gate) -> None:
    with s.slots:
        s.inside += 1
        rb.check_that(s.inside == 1, "gate.crowded", "two inside")
        s.inside -= 1


def semaphore(n: int) -> rb.Program:
    return rb.Program(
        "semaphore",
        setup=lambda: Gate(n),
        threads={"a": through_semaphore, "b": through_semaphore},
    )


class Pair(rb.State):
    left = rb.shared(0)
    right = rb.shared(0)

    def __init__(self) -> None:
        self.rw = rb.RWLock("pair")


def write_pair(s: Pair) -> None:
    with s.rw.write():
        s.left = 1
        s.right = 1


def write_pair_as_reader(s: Pair) -> None:
    with s.rw.read():
        s.left = 1
        s.right = 1


def read_pair(s: Pair) -> None:
    with s.rw.read():
        rb.check_that(s.left == s.right, "pair.torn", "half a write seen")


def read_write(writer: Any = write_pair) -> rb.Program:
    return rb.Program("pair", setup=Pair, threads={"w": writer, "r1": read_pair, "r2": read_pair})


def upgrade(s: Pair) -> None:
    with s.rw.read(), s.rw.write():
        s.left = 1


def opener(s: Gate) -> None:
    s.open = True


def forgetful_opener(s: Gate) -> None:
    s.open = False


def waiter(s: Gate) -> str:
    rb.wait_until(lambda: s.open)
    return "through"


def waiting(second: Any = opener) -> rb.Program:
    return rb.Program("waiting", setup=Gate, threads={"w": waiter, "o": second})


class Box(rb.State):
    x = rb.shared(0)
    y = rb.shared(0)

    def __init__(self) -> None:
        self.lock = rb.Lock("box")


def locked(s: Box) -> None:
    with s.lock:
        s.x += 1
