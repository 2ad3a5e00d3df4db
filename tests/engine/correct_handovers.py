"""Hand-overs by semaphore, condition, flag and predicate, fork-join, and plain spin loops."""

from __future__ import annotations

from typing import Any

import racebench as rb

from .correct_programs import Shop, Thread, add, correct, down, then, under, up

AB, BA = under("a", "b"), under("b", "a")


def tell(s: Shop) -> None:
    with s.lock:
        s.ready = True
        s.cond.notify()


def hear(s: Shop) -> None:
    with s.lock:
        while not s.ready:
            s.cond.wait()


def set_flag(s: Shop) -> None:
    s.flag = 1


def see_flag(s: Shop) -> None:
    rb.wait_until(lambda: s.flag)


def spin_flag(s: Shop) -> None:
    while not s.flag:
        pass


@correct
def semaphore_hands_data_over() -> dict[str, Any]:
    """down comes after up, up after the write."""
    return {"a": then(add, up()), "b": then(down(), add), "ends": {"n": 2}}


@correct
def semaphore_there_and_back() -> dict[str, Any]:
    """The token goes a, b, a."""
    return {"a": then(add, up(), down("back"), add), "b": then(down(), add, up("back")), "ends": {"n": 3}}


@correct
def semaphore_as_a_mutex() -> dict[str, Any]:
    """It starts at 1, and each gives back what it took."""
    section = then(down("mutex"), add, up("mutex"))
    return {"a": section, "b": section, "c": section, "ends": {"n": 3}}


@correct
def semaphore_tried() -> dict[str, Any]:
    """Only who got it writes, and gives it back."""

    def section(s: Shop) -> None:
        if s.mutex.acquire(blocking=False):
            s.n += 1
            s.mutex.release()

    return {"a": section, "b": section}


@correct
def semaphore_guards_two_orders() -> dict[str, Any]:
    """Both nest inside the mutex, so never at once."""
    return {"a": then(down("mutex"), AB, up("mutex")), "b": then(down("mutex"), BA, up("mutex"))}


@correct
def semaphore_puts_two_orders_after_one_another() -> dict[str, Any]:
    """b nests once a is through."""
    return {"a": then(AB, up()), "b": then(down(), BA), "ends": {"n": 2}}


@correct
def semaphore_wakes_two() -> dict[str, Any]:
    """Each takes one of two tokens, after a's section; they agree on the order."""
    return {"a": then(AB, up(times=2)), "b": then(down(), BA), "c": then(down(), BA), "ends": {"n": 3}}


@correct
def semaphores_gather_two() -> dict[str, Any]:
    """c has both tokens, so both are through."""
    return {"a": then(AB, up()), "b": then(AB, up()), "c": then(down(times=2), BA), "ends": {"n": 3}}


@correct
def condition_hands_data_over() -> dict[str, Any]:
    """All under its lock, and who waits looks again."""
    return {"a": then(add, tell), "b": then(hear, add), "ends": {"n": 2}}


@correct
def condition_hands_over_to_two() -> dict[str, Any]:
    """notify_all wakes both."""

    def tell_all(s: Shop) -> None:
        with s.lock:
            s.ready = True
            s.cond.notify_all()

    listen = then(hear, lambda s: s.n)
    return {"a": then(add, tell_all), "b": listen, "c": listen}


@correct
def condition_waited_for_with_wait_for() -> dict[str, Any]:
    """wait_for looks again."""

    def listen(s: Shop) -> Any:
        with s.lock:
            s.cond.wait_for(lambda: s.ready)
        return s.n

    return {"a": then(add, tell), "b": listen}


@correct
def condition_that_wakes_unasked() -> dict[str, Any]:
    """Who waits looks again."""

    def listen(s: Shop) -> Any:
        with s.lock:
            while not s.ready:
                s.rude.wait()
            return s.n

    def shout(s: Shop) -> None:
        with s.lock:
            s.n, s.ready = 1, True
            s.rude.notify()

    return {"a": shout, "b": listen}


@correct
def condition_and_a_queue() -> dict[str, Any]:
    """The items change under the lock alone."""

    def put(s: Shop) -> None:
        for i in range(2):
            with s.lock:
                s.items.append(i)
                s.cond.notify()

    def take(s: Shop) -> None:
        for _ in range(2):
            with s.lock:
                while not s.items:
                    s.cond.wait()
                s.n += s.items.pop(0)

    return {"a": put, "b": take, "ends": {"n": 1}}


@correct
def bounded_queue_with_two_conditions() -> dict[str, Any]:
    """Each side waits for what the other makes true, and tells."""

    def put(s: Shop) -> None:
        for _ in range(2):
            with s.lock:
                while s.n == 1:
                    s.full.wait()
                s.n = 1
                s.cond.notify()

    def take(s: Shop) -> None:
        for _ in range(2):
            with s.lock:
                while s.n == 0:
                    s.cond.wait()
                s.n = 0
                s.full.notify()

    return {"a": put, "b": take, "ends": {"n": 0}}


@correct
def condition_puts_two_orders_after_one_another() -> dict[str, Any]:
    """b nests once it has heard that a is through."""
    return {"a": then(AB, tell), "b": then(hear, BA), "ends": {"n": 2}}


@correct
def flag_puts_two_orders_after_one_another() -> dict[str, Any]:
    """b nests once it has seen the flag that a sets when it is through."""
    return {"a": then(AB, set_flag), "b": then(see_flag, BA), "ends": {"n": 2}}


@correct
def flag_hands_data_over() -> dict[str, Any]:
    """The write comes before the atomic flag, the read after it."""

    def look(s: Shop) -> Any:
        return s.n if s.flag else None

    return {"a": then(add, set_flag), "b": look}


@correct
def predicate_hands_data_over() -> dict[str, Any]:
    """The wait ends after the flag is set."""
    return {"a": then(add, set_flag), "b": then(see_flag, add), "ends": {"n": 2}}


@correct
def predicate_over_a_plain_field() -> dict[str, Any]:
    """Waiting for a field orders what comes after with the write that ends it."""

    def a(s: Shop) -> None:
        s.n += 1
        s.ready = True

    def b(s: Shop) -> None:
        rb.wait_until(lambda: s.ready)
        s.n += 1

    return {"a": a, "b": b, "ends": {"n": 2}}


def forked(how_up: Thread, how_down: Thread, join: Thread, joined: Thread) -> dict[str, Any]:
    parent = then(AB, how_up, joined, BA)
    return {"parent": parent, "child": then(how_down, BA, join), "ends": {"n": 3}}


@correct
def fork_and_join_by_semaphores() -> dict[str, Any]:
    """The child works after the fork and before the join, the parent before and after."""
    return forked(up(), down(), up("back"), down("back"))


@correct
def fork_and_join_by_flags() -> dict[str, Any]:
    """The same by atomic flags."""

    def join(s: Shop) -> None:
        s.other = 1

    return forked(set_flag, see_flag, join, lambda s: rb.wait_until(lambda: s.other))


@correct
def fork_and_join_of_two() -> dict[str, Any]:
    """The children write different fields; the parent reads both once both have told it."""

    def one(s: Shop) -> None:
        s.sem.acquire()
        s.n = 1
        s.back.release()

    def two(s: Shop) -> None:
        s.sem.acquire()
        s.m = 1
        s.back.release()

    def parent(s: Shop) -> None:
        s.n = s.m = 0
        up(times=2)(s)
        down("back", 2)(s)
        s.n += s.m

    return {"parent": parent, "one": one, "two": two, "ends": {"n": 2}}


@correct
def barrier_of_two() -> dict[str, Any]:
    """Each reads what the other wrote before the barrier."""

    def side(mine: str, theirs: str, out: str, into: str) -> Thread:
        def run(s: Shop) -> Any:
            setattr(s, mine, 1)
            getattr(s, out).release()
            getattr(s, into).acquire()
            return getattr(s, theirs)

        return run

    return {"a": side("n", "m", "sem", "back"), "b": side("m", "n", "back", "sem")}


@correct
def baton_round_three() -> dict[str, Any]:
    """The turn says who writes."""

    def player(turn: int) -> Thread:
        def run(s: Shop) -> None:
            rb.wait_until(lambda: s.flag == turn)
            s.n += 1
            s.flag = turn + 1

        return run

    return {"a": player(0), "b": player(1), "c": player(2), "ends": {"n": 3}}


@correct
def handler_tells_its_thread() -> dict[str, Any]:
    """The interrupt comes for sure, and its thread waits for what it says."""

    def handler(s: Shop) -> None:
        s.n = 1
        s.flag = 1

    return {"a": then(see_flag, lambda s: s.n), "b": lambda s: s.m, "interrupts": {"irq": ("a", handler)}}


# -- plain spin loops: right under any scheduler that is fair


@correct
def spin_on_a_flag() -> dict[str, Any]:
    """The flag is set in the end."""
    return {"a": then(add, set_flag), "b": then(spin_flag, add), "ends": {"n": 2}, "spins": True}


@correct
def spin_on_a_trylock() -> dict[str, Any]:
    """Whoever has the lock gives it back."""

    def section(s: Shop) -> None:
        while not s.a.acquire(blocking=False):
            pass
        s.n += 1
        s.a.release()

    return {"a": section, "b": section, "ends": {"n": 2}, "spins": True}


@correct
def spin_with_a_lock_inside() -> dict[str, Any]:
    """The setter gets the lock when its turn comes."""

    def spin(s: Shop) -> None:
        while True:
            with s.a:
                if s.ready:
                    return

    def ready(s: Shop) -> None:
        with s.a:
            s.ready = True

    return {"a": ready, "b": spin, "spins": True}


@correct
def spin_there_and_back() -> dict[str, Any]:
    """Each waits for the other's flag in turn."""

    def ping(s: Shop) -> None:
        s.flag = 1
        while not s.other:
            pass
        s.n += 1

    def pong(s: Shop) -> None:
        while not s.flag:
            pass
        s.n += 1
        s.other = 1

    return {"a": ping, "b": pong, "ends": {"n": 2}, "spins": True}


@correct
def spin_while_locked() -> dict[str, Any]:
    """The holder lets go."""

    def spin(s: Shop) -> None:
        while s.a.locked():
            pass

    return {"a": under("a"), "b": spin, "spins": True}


@correct
def spin_of_two_on_one_flag() -> dict[str, Any]:
    """Reading does not race."""
    look = then(spin_flag, lambda s: s.n)
    return {"a": then(add, set_flag), "b": look, "c": look, "spins": True}
