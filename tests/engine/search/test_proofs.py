"""Families of programs that were once proved wrongly: their ends, derived by hand, in all orders of names."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search.dpor import Search


class Machine(rb.State):
    x = rb.shared(0, atomic=True)
    y = rb.shared(0, atomic=True)
    late = rb.shared(0, delayed=True)
    later = rb.shared(0, delayed=True)

    def __init__(self) -> None:
        self.a, self.b = rb.Lock("a"), rb.Lock("b")
        self.again = rb.RLock("again")
        self.rw = rb.RWLock("rw")
        self.unfair = rb.RWLock("unfair", fair=False)
        self.empty = rb.Semaphore(0, "empty")
        self.changed = rb.Condition(self.again, "changed")
        self.rousable = rb.Condition(self.a, "rousable", spurious=True)


def answers(threads: dict[str, Any], **more: Any) -> set[tuple[Any, ...]]:
    """(results by thread) of every end, and the rules of what never ends, proved in all orders of names."""
    everything: list[set[Any]] = []
    for order in permutations(threads):
        ends: set[Any] = set()

        def check(s: Machine, results: dict[str, Any], ends: set[Any] = ends) -> None:
            ends.add(tuple(results[name] for name in threads))

        program = rb.Program("family", Machine, {name: threads[name] for name in order}, check, **more)
        result = rb.verify(program)
        assert result.complete
        for finding in result.findings:
            if finding.rule not in ("lock_order.inversion", "data_race"):
                ends.add((finding.rule,))
                shown = {again.signature for again in rb.replay(program, finding.schedule).findings}
                assert finding.signature in shown
        everything.append(ends)
    assert all(ends == everything[0] for ends in everything), everything
    return everything[0]


def put_x(lock: str) -> Any:
    def put(s: Machine) -> None:
        with getattr(s, lock):
            s.x = 1

    return put


# -- what a thread does with a lock that it holds is nobody else's business


def nested_take(s: Machine) -> int:
    with s.again:
        with s.again:
            pass
        return s.x


def failing_try(s: Machine) -> int:
    with s.a:
        s.a.acquire(blocking=False)
        return s.x


def nested_try(s: Machine) -> int:
    with s.again:
        if s.again.acquire(blocking=False):
            s.again.release()
        return s.x


def misused_release(s: Machine) -> int:
    s.a.release()
    with s.a:
        return s.x


@pytest.mark.parametrize(
    ("reader", "lock"), [(nested_take, "again"), (failing_try, "a"), (nested_try, "again")]
)
def test_a_section_comes_before_and_after_whatever_its_thread_does_inside(reader: Any, lock: str) -> None:
    assert answers({"w": put_x(lock), "r": reader}) == {(None, 0), (None, 1)}


def test_a_misused_release_hides_no_order() -> None:
    seen: set[int] = set()

    def reads(s: Machine) -> None:
        seen.add(misused_release(s))

    # An end is not checked where something else is wrong.
    assert answers({"w": put_x("a"), "r": reads}) == {("lock.misuse",)}
    assert seen == {0, 1}


def test_an_empty_semaphore_tried_by_its_only_user_hides_no_order() -> None:
    def tries(s: Machine) -> int:
        s.empty.acquire(blocking=False)
        with s.a:
            return s.x

    assert answers({"w": put_x("a"), "r": tries}) == {(None, 0), (None, 1)}


def test_a_re_entrant_condition_lock_is_given_up_wholly_and_taken_again_to_its_depth() -> None:
    def waits(s: Machine) -> int:
        with s.again, s.again:
            if not s.x:
                s.changed.wait()
            return s.x

    def notifies(s: Machine) -> None:
        with s.again:
            s.x = 1
            s.changed.notify()

    def forgets(s: Machine) -> None:
        with s.again:
            s.x = 1

    assert answers({"w": waits, "n": notifies}) == {(1, None)}
    assert answers({"w": waits, "n": forgets}) == {(1, None), ("deadlock.wait",)}


# -- predicates


def holds_and_waits(s: Machine) -> None:
    with s.b:
        rb.wait_until(lambda: s.x == 1)


def waits_for_the_lock(s: Machine) -> None:
    rb.wait_until(lambda: not s.b.locked())
    s.x = 1


def waits_for_nothing(s: Machine) -> None:
    s.x = 1


def test_a_predicate_that_looks_at_a_lock() -> None:
    assert answers({"h": holds_and_waits, "o": waits_for_the_lock}) == {(None, None), ("deadlock.wait",)}
    assert answers({"h": holds_and_waits, "o": waits_for_nothing}) == {(None, None)}


def set_x(s: Machine) -> None:
    s.x = 1


def set_y(s: Machine) -> None:
    s.y = 1


def test_a_predicate_that_does_not_look_at_all_each_time() -> None:
    def short(s: Machine) -> None:
        rb.wait_until(lambda: s.x and s.y <= 1)
        s.y = 2

    def ended(s: Machine) -> int:
        rb.wait_until(lambda: s.y == 2)
        return s.y

    assert answers({"w": short, "a": set_x, "b": set_y, "e": ended}) == {
        (None, None, None, 1),
        (None, None, None, 2),
        ("deadlock.wait",),
    }


def test_a_predicate_that_only_one_order_of_independent_writes_makes_true() -> None:
    def only_after_y(s: Machine) -> str:
        rb.wait_until(lambda: s.y == 1 and not s.x)
        return "seen"

    assert answers({"w": only_after_y, "a": set_x, "b": set_y}) == {
        ("seen", None, None),
        ("deadlock.wait",),
    }


def test_a_predicate_over_delayed_fields() -> None:
    def either(s: Machine) -> tuple[int, int]:
        rb.wait_until(lambda: s.later >= 1 or s.late >= 1)
        return s.late, s.later

    def both(s: Machine) -> None:
        s.late = 1
        s.later = 1

    assert answers({"w": either, "b": both}) == {((1, 0), None), ((0, 1), None), ((1, 1), None)}


def test_a_predicate_that_follows_a_reference() -> None:
    class Box(rb.State):
        v = rb.shared(0, atomic=True)

    class Shelf(rb.State):
        ref = rb.shared(None, atomic=True)

        def __init__(self) -> None:
            self.one, self.two = Box(), Box()
            self.ref = self.one

    def waits(s: Shelf) -> int:
        rb.wait_until(lambda: s.ref.v)
        return 1 if s.ref is s.one else 2

    def fills(s: Shelf) -> None:
        s.two.v = 1

    def turns(s: Shelf) -> None:
        s.ref = s.two
        s.one.v = 1

    for order in permutations(("w", "f", "t")):
        ends: set[Any] = set()
        threads = {"w": waits, "f": fills, "t": turns}
        result = rb.verify(
            rb.Program(
                "shelf", Shelf, {n: threads[n] for n in order}, lambda s, r, ends=ends: ends.add(r["w"])
            )
        )
        assert result.complete
        assert (result.verdict, ends) == (rb.Verdict.CLEAN, {2})


# -- read-write locks


def reads_for_ever(s: Machine) -> None:
    s.unfair.acquire_read()


def test_a_writer_comes_before_readers_that_never_leave() -> None:
    wrote = []

    def writes(s: Machine) -> None:
        with s.unfair.write():
            wrote.append(s.x)

    assert answers({"r": reads_for_ever, "q": reads_for_ever, "w": writes}) == {("lock.leaked",)}
    assert wrote


def test_an_upgrade_and_a_reader() -> None:
    def upgrades(s: Machine) -> None:
        with s.unfair.read(), s.unfair.write():
            pass

    def reads(s: Machine) -> None:
        with s.unfair.read():
            pass

    assert answers({"u": upgrades, "r": reads}) == {("deadlock.self",)}


def test_a_waiting_writer_holds_a_reader_back_that_comes_again() -> None:
    def reads_twice(s: Machine) -> str:
        with s.rw.read(), s.rw.read():
            return "read"

    def reads_twice_unfairly(s: Machine) -> str:
        with s.unfair.read(), s.unfair.read():
            return "read"

    def writes(s: Machine) -> None:
        with s.rw.write(), s.unfair.write():
            pass

    assert answers({"r": reads_twice, "w": writes}) == {("read", None), ("deadlock.cycle",)}
    assert answers({"r": reads_twice_unfairly, "w": writes}) == {("read", None)}


# -- interrupts, crashes, sleepers


def test_a_handler_that_never_returns_hides_nothing_of_the_thread_it_came_to() -> None:
    seen: set[int] = set()

    def writes(s: Machine) -> None:
        s.x = 1

    def looks(s: Machine) -> None:
        seen.add(s.x)

    def waits(s: Machine) -> None:
        rb.wait_until(lambda: s.y == 1)

    for order in permutations(("w", "l")):
        seen.clear()
        threads = {name: {"w": writes, "l": looks}[name] for name in order}
        result = rb.verify(rb.Program("handler", Machine, threads, interrupts={"irq": ("w", waits)}))
        assert result.complete
        assert {f.rule for f in result.findings} == {"deadlock.wait"}
        assert seen == {0, 1}


def test_no_execution_ends_stuck_without_a_word() -> None:
    """The last thread of the ring blocks while a handler runs in the place of the first."""

    def one(s: Machine) -> None:
        with s.a, s.b:
            pass

    def other(s: Machine) -> None:
        with s.b:
            rb.wait_until(lambda: s.x == 1)
            s.y = 1
            with s.a:
                pass

    def handler(s: Machine) -> None:
        both = s.a.locked() and s.b.locked()
        s.x = 1
        if both:
            rb.wait_until(lambda: s.y == 1)

    program = rb.Program("ring", Machine, {"1": one, "2": other}, interrupts={"irq": ("1", handler)})
    stuck = 0
    with Scheduler(program) as scheduler:
        search = Search(scheduler)
        while True:
            outcome = search.execute()
            if outcome is not None and any(task.blocked for task in scheduler.tasks):
                stuck += 1
                assert outcome.faults
            if not search.advance():
                break
    assert stuck == 4


def test_each_threads_own_check_is_found_whoever_crashed_first() -> None:
    def one(s: Machine) -> None:
        rb.check_that(not s.x, "crash.one", "x is set")

    def two(s: Machine) -> None:
        s.x = 1
        rb.check_that(not s.y, "crash.two", "y is set")

    def three(s: Machine) -> None:
        s.y = 1

    assert answers({"1": one, "2": two, "3": three}) == {
        (None, None, None),
        ("crash.one",),
        ("crash.two",),
    }


def test_what_only_comes_after_a_crash_is_no_finding() -> None:
    def crashes(s: Machine) -> None:
        s.x = 1
        rb.check_that(False, "crash.always", "it stops here")

    def listens(s: Machine) -> None:
        rb.wait_until(lambda: s.x)
        s.y = 1
        rb.check_that(False, "crash.never", "the machine has stopped")

    assert answers({"c": crashes, "t": listens}) == {("crash.always",)}


def test_all_threads_start_even_if_one_crashes_before_its_first_step() -> None:
    def crashes(rule: str) -> Any:
        return lambda s: rb.check_that(False, rule, "at once")

    assert answers({"1": crashes("crash.one"), "2": crashes("crash.two"), "3": set_x}) == {
        ("crash.one",),
        ("crash.two",),
    }


def test_a_sleeper_may_wake_unasked_and_need_not() -> None:
    def looks_once(s: Machine) -> int:
        with s.a:
            s.rousable.wait()
            return s.x

    def notifies(s: Machine) -> None:
        with s.a:
            s.x = 1
            s.rousable.notify()

    assert answers({"w": looks_once, "n": notifies}) == {(0, None), (1, None), ("deadlock.wait",)}
    assert answers({"w": looks_once}) == {(0,), ("deadlock.wait",)}


def test_an_interrupt_and_a_sleeper_who_need_not_wake() -> None:
    def waits(s: Machine) -> None:
        with s.a:
            s.rousable.wait()

    def nothing(s: Machine) -> None:
        pass

    threads = {"a": nothing, "b": waits}
    assert answers(threads, interrupts={"irq": ("a", nothing)}) == {(None, None), ("deadlock.wait",)}


def test_a_container_is_changed_in_the_step_that_says_so() -> None:
    class Lists(rb.State):
        items = rb.shared([])
        names = rb.shared(set())
        x = rb.shared(0, atomic=True)

    def drawn(s: Lists) -> Any:
        yield s.x
        yield s.x

    def extends(s: Lists) -> None:
        s.items.extend(drawn(s))

    def slices(s: Lists) -> None:
        s.items[0:0] = drawn(s)

    def looks(s: Lists) -> int:
        items = s.items
        s.x = 1
        return len(items)

    for change, wanted in ((extends, {0, 1, 2}), (slices, {0, 2})):
        seen: set[int] = set()
        ends: set[Any] = set()

        def check(s: Lists, results: dict[str, Any], seen: Any = seen, ends: Any = ends) -> None:
            seen.add(results["b"])
            ends.add((results["b"], tuple(s.items)))

        program = rb.Program("lists", Lists, {"a": change, "b": looks}, check)
        assert rb.verify(program).complete
        assert seen == wanted
        # It looked before anything was in, and what went in was drawn before it wrote.
        assert ((0, (0, 0)) in ends) is (change is slices)


def test_a_predicate_only_reads() -> None:
    def takes(s: Machine) -> None:
        rb.wait_until(lambda: s.a.acquire(blocking=False))

    def writes(s: Machine) -> None:
        rb.wait_until(lambda: setattr(s, "x", 1) or True)

    for bad in (takes, writes):
        with pytest.raises(rb.ProgramError, match="must only read"):
            rb.verify(rb.Program("bad", Machine, {"a": bad, "b": bad}))
