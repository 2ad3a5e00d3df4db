"""Orders of locks that are none, gates, objects before they are published, readers, and daemons."""

from __future__ import annotations

from typing import Any

import racebench as rb

from .correct_programs import Shop, Thread, add, correct, down, then, under, up


class Node(rb.State):
    value = rb.shared(0)

    def __init__(self) -> None:
        self.lock = rb.Lock("node")


class Two(Shop):
    """Two locks of one class, by instance."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other_one = rb.Lock("p", 1), rb.Lock("p", 2)


@correct
def gate_over_two_orders() -> dict[str, Any]:
    """Both hold the gate."""
    return {"a": under("gate", "a", "b"), "b": under("gate", "b", "a"), "ends": {"n": 2}}


@correct
def gate_over_three_orders() -> dict[str, Any]:
    """All hold the gate."""
    return {"a": under("gate", "a", "b"), "b": under("gate", "b", "lock"), "c": under("gate", "lock", "a")}


@correct
def gate_that_is_a_written_rwlock() -> dict[str, Any]:
    """A writer is alone."""

    def inside(*locks: str) -> Thread:
        def run(s: Shop) -> None:
            with s.rw.write():
                under(*locks)(s)

        return run

    return {"a": inside("a", "b"), "b": inside("b", "a"), "ends": {"n": 2}}


@correct
def gate_between_reader_and_writer() -> dict[str, Any]:
    """A reader keeps the writer out."""

    def reading(s: Shop) -> None:
        with s.rw.read():
            under("a", "b")(s)

    def writing(s: Shop) -> None:
        with s.rw.write():
            under("b", "a")(s)

    return {"a": reading, "b": writing, "ends": {"n": 2}}


@correct
def one_order_everywhere() -> dict[str, Any]:
    """All take a before b."""
    return {"a": under("a", "b"), "b": under("a", "b"), "c": under("b"), "ends": {"n": 3}}


@correct
def two_orders_of_one_thread() -> dict[str, Any]:
    """A thread does not wait for itself; the other takes one lock."""
    return {"a": then(under("a", "b"), under("b", "a")), "b": under("a"), "ends": {"n": 3}}


@correct
def second_order_by_trylock() -> dict[str, Any]:
    """A try never waits."""

    def tries(s: Shop) -> None:
        with s.b:
            if s.a.acquire(blocking=False):
                s.n += 1
                s.a.release()

    return {"a": under("a", "b"), "b": tries}


@correct
def instances_in_one_fixed_order() -> dict[str, Any]:
    """Both take p[1] before p[2]."""
    section = under("one", "other_one")
    return {"setup": Two, "a": section, "b": section, "ends": {"n": 2}}


@correct
def instances_behind_a_lock_of_another_class() -> dict[str, Any]:
    """a is always first, whatever the instance inside."""
    return {"setup": Two, "a": under("a", "one"), "b": under("a", "other_one"), "ends": {"n": 2}}


@correct
def hand_over_hand() -> dict[str, Any]:
    """Along a list, always to the next."""

    def walk(s: Two) -> None:
        s.one.acquire()
        s.other_one.acquire()
        s.one.release()
        s.n += 1
        s.other_one.release()

    return {"setup": Two, "a": walk, "b": walk, "ends": {"n": 2}}


@correct
def lock_taken_again() -> dict[str, Any]:
    """Its holder may."""
    return {"a": under("again", "again"), "b": under("again"), "ends": {"n": 2}}


@correct
def lock_taken_again_inside_another() -> dict[str, Any]:
    """Who has it waits for nobody when it takes it again."""
    return {"a": under("again", "a", "again"), "b": under("again", "a"), "ends": {"n": 2}}


def made(s: Shop, value: int) -> Node:
    node = Node()
    node.value = value
    return node


@correct
def published_through_an_atomic_reference() -> dict[str, Any]:
    """The data is written before the reference, and read after it."""

    def a(s: Shop) -> None:
        s.link = made(s, 1)

    def b(s: Shop) -> Any:
        node = s.link
        return node.value if node is not None else None

    return {"a": a, "b": b}


@correct
def published_under_a_lock() -> dict[str, Any]:
    """The reference goes in and out under one lock."""

    def a(s: Shop) -> None:
        node = made(s, 1)
        with s.a:
            s.ref = node

    def b(s: Shop) -> Any:
        with s.a:
            node = s.ref
        return node.value if node is not None else None

    return {"a": a, "b": b}


@correct
def published_through_a_semaphore() -> dict[str, Any]:
    """The token comes after the reference."""

    def a(s: Shop) -> None:
        s.ref = made(s, 1)
        s.sem.release()

    def b(s: Shop) -> Any:
        s.sem.acquire()
        return s.ref.value

    return {"a": a, "b": b}


@correct
def locked_before_it_is_published() -> dict[str, Any]:
    """Nobody else knows the node when a nests in the other order."""

    def a(s: Shop) -> None:
        node = Node()
        with node.lock, s.a:
            node.value = s.n
        s.link = node

    def b(s: Shop) -> None:
        with s.a:
            node = s.link
            if node is not None:
                with node.lock:
                    node.value += 1

    return {"a": a, "b": b}


@correct
def locked_before_it_is_published_under_a_lock() -> dict[str, Any]:
    """The same, published in a field under the table's lock."""

    def a(s: Shop) -> None:
        node = Node()
        with node.lock, s.a:
            node.value = 1
        with s.a:
            s.ref = node

    def b(s: Shop) -> None:
        with s.a:
            node = s.ref
            if node is not None:
                with node.lock:
                    node.value += 1

    return {"a": a, "b": b}


@correct
def each_locks_a_node_of_its_own() -> dict[str, Any]:
    """No lock here is met by two threads but a."""

    def section(s: Shop) -> None:
        node = Node()
        with node.lock, s.a:
            s.n += 1

    return {"a": section, "b": section, "ends": {"n": 2}}


@correct
def filled_before_it_is_locked() -> dict[str, Any]:
    """What is written before the node is known needs no lock; all later writes have it."""

    def a(s: Shop) -> None:
        node = made(s, 1)
        s.link = node
        with node.lock:
            node.value += 1

    def b(s: Shop) -> None:
        node = s.link
        if node is not None:
            with node.lock:
                node.value += 1

    return {"a": a, "b": b}


# -- readers and writers


def reads(*locks: str, do: Thread = lambda s: s.n) -> Thread:
    def run(s: Shop) -> Any:
        if not locks:
            return do(s)
        with getattr(s, locks[0]).read():
            return reads(*locks[1:], do=do)(s)

    return run


def writes(name: str = "rw") -> Thread:
    def run(s: Shop) -> None:
        with getattr(s, name).write():
            s.n += 1

    return run


@correct
def readers_and_writers() -> dict[str, Any]:
    """A writer is alone; readers do not write."""
    return {"a": reads("rw"), "b": writes(), "c": writes(), "ends": {"n": 2}}


@correct
def readers_in_two_orders_without_a_writer() -> dict[str, Any]:
    """Readers do not wait for readers."""
    return {"a": reads("rw", "table"), "b": reads("table", "rw")}


@correct
def readers_in_two_orders_with_one_writer() -> dict[str, Any]:
    """It would take a waiting writer at each of the two locks; there is one, at one."""
    return {"a": reads("rw", "table"), "b": reads("table", "rw"), "c": writes()}


@correct
def reader_comes_again_with_no_writer() -> dict[str, Any]:
    """Nobody is there to hold it back."""
    return {"a": reads("rw", "rw"), "b": reads("rw")}


class Unfair(Shop):
    def __init__(self) -> None:
        super().__init__()
        self.rw, self.table = rb.RWLock("rw", fair=False), rb.RWLock("table", fair=False)


@correct
def unfair_reader_comes_again() -> dict[str, Any]:
    """A waiting writer of an unfair lock holds no reader back."""
    return {"setup": Unfair, "a": reads("rw", "rw"), "b": writes(), "ends": {"n": 1}}


@correct
def unfair_readers_in_two_orders() -> dict[str, Any]:
    """The same, of two locks and two writers, which change different fields."""

    def other(s: Shop) -> None:
        with s.table.write():
            s.m += 1

    readers = {"a": reads("rw", "table"), "b": reads("table", "rw")}
    return {"setup": Unfair, **readers, "c": writes(), "d": other}


# -- daemons


@correct
def daemon_serves_and_waits() -> dict[str, Any]:
    """The server has nothing to do at the end."""

    def server(s: Shop) -> None:
        while True:
            s.sem.acquire()
            s.n += 1
            s.back.release()

    return {"main": then(up(), down("back")), "server": server, "daemons": {"server"}, "ends": {"n": 1}}


@correct
def daemon_that_never_gets_work() -> dict[str, Any]:
    """Nobody calls it."""
    return {"main": add, "server": down(), "daemons": {"server"}, "ends": {"n": 1}}


@correct
def daemon_waits_at_a_condition() -> dict[str, Any]:
    """It takes what is there, and waits for more."""

    def server(s: Shop) -> None:
        while True:
            with s.lock:
                while not s.items:
                    s.cond.wait()
                s.items.pop()

    def client(s: Shop) -> None:
        with s.lock:
            s.items.append(1)
            s.cond.notify()

    return {"main": client, "server": server, "daemons": ["server"]}


@correct
def daemon_waits_until() -> dict[str, Any]:
    """The flag is never set."""

    def server(s: Shop) -> None:
        rb.wait_until(lambda: s.flag)

    return {"main": add, "server": server, "daemons": ("server",), "ends": {"n": 1}}


@correct
def daemon_waits_with_a_lock() -> dict[str, Any]:
    """Nobody else wants the lock that it holds."""
    return {"main": add, "server": under("a", do=down()), "daemons": {"server"}, "ends": {"n": 1}}


@correct
def two_daemons_wait() -> dict[str, Any]:
    """One holds the lock that the other waits for, and waits for work."""
    server = under("a", do=down())
    return {"main": add, "x": server, "y": server, "daemons": {"x", "y"}, "ends": {"n": 1}}


@correct
def daemon_that_comes_to_its_end() -> dict[str, Any]:
    """A daemon may wait for ever, and need not."""
    return {"main": up(), "server": then(down(), add), "daemons": {"server"}, "ends": {"n": 1}}


@correct
def handler_comes_to_a_daemon() -> dict[str, Any]:
    """It comes while the daemon waits, at the latest, and returns."""

    def handler(s: Shop) -> None:
        s.n += 1

    interrupts = {"irq": ("server", handler)}
    return {
        **{"main": lambda s: s.m, "server": down()},
        **{"daemons": {"server"}, "interrupts": interrupts, "ends": {"n": 1}},
    }


@correct
def handler_feeds_a_daemon() -> dict[str, Any]:
    """It gives the daemon its work, which the daemon does before it waits again."""

    def server(s: Shop) -> None:
        while True:
            s.sem.acquire()
            s.n += 1

    interrupts = {"irq": ("server", up())}
    return {
        **{"main": lambda s: s.m, "server": server},
        **{"daemons": {"server"}, "interrupts": interrupts, "ends": {"n": 1}},
    }
