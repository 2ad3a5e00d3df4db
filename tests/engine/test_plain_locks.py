"""What ``threading.Lock`` and ``queue.SimpleQueue`` are in a program: in all modes."""

from __future__ import annotations

import queue
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

import racebench as rb
from racebench.primitives.locks import PlainLock
from racebench.primitives.simplequeue import SimpleQueue


class Shop(rb.State):
    x = rb.shared(0)

    def __init__(self) -> None:
        self.one, self.two, self.said = PlainLock("one"), PlainLock("two"), PlainLock("said")
        self.said.acquire()
        self.items = SimpleQueue("items")


def add(s: Shop) -> None:
    with s.one:
        s.x += 1


def waits(s: Shop) -> int:
    s.said.acquire()
    return s.x


def says(s: Shop) -> None:
    s.x = 7
    s.said.release()


def puts(s: Shop) -> None:
    s.x = 5
    s.items.put("a")
    s.items.put("b")


def gets(s: Shop) -> Any:
    return s.items.get(), s.items.get(), s.x


CORRECT: dict[str, tuple[dict[str, Callable[[Shop], Any]], Callable[[Shop, dict[str, Any]], bool]]] = {
    "two who add": ({"a": add, "b": add}, lambda s, r: s.x == 2),
    "one who waits for the other": ({"a": waits, "b": says}, lambda s, r: r["a"] == 7),
    "a queue in order": ({"a": gets, "b": puts}, lambda s, r: r["a"] == ("a", "b", 5)),
}


def program(
    threads: dict[str, Any], right: Callable[[Shop, dict[str, Any]], bool] | None = None
) -> rb.Program:
    def check(s: Shop, results: dict[str, Any]) -> rb.Broken | None:
        return None if right is None or right(s, results) else rb.broken("shop.wrong", str(results))

    return rb.Program("shop", Shop, threads, check=check)


def modes(p: rb.Program) -> list[rb.Result]:
    return [rb.verify(p), rb.explore(p, executions=60), rb.stress(p, seconds=0.05)]


@pytest.mark.parametrize("name", CORRECT)
def test_correct_ones_are_clean_in_all_modes(name: str) -> None:
    p = program(*CORRECT[name])
    for result in modes(p):
        assert (result.verdict, result.findings) == (rb.Verdict.CLEAN, ())
    assert rb.verify(p).complete


def test_who_gives_back_too_early_is_told_so_and_that_order_is_searched() -> None:
    def early(s: Shop) -> str:
        try:
            s.one.release()
        except RuntimeError as error:
            return str(error)
        return "released"

    seen = set()
    check = lambda s, results: seen.add(results["early"])  # noqa: E731
    rb.verify(rb.Program("shop", Shop, {"early": early, "add": lambda s: s.one.acquire()}, check=check))
    assert seen == {"released", "release unlocked lock"}


def test_a_ring_is_told_when_nobody_can_go_on() -> None:
    def nested(first: str, second: str) -> Callable[[Shop], None]:
        def thread(s: Shop) -> None:
            with getattr(s, first), getattr(s, second):
                s.x = 1

        return thread

    ring = {"a": nested("one", "two"), "b": nested("two", "one")}
    # On free threads it comes sooner or later, and nobody knows in how many collisions.
    freely = rb.stress(program(ring), seconds=60, stop_on_first=True)
    for result in (rb.verify(program(ring)), rb.explore(program(ring), executions=60), freely):
        assert "deadlock.cycle" in {finding.rule for finding in result.findings}


def test_a_ring_that_a_third_one_opens_is_none() -> None:
    def holds_and_waits(first: str, second: str) -> Callable[[Shop], None]:
        def thread(s: Shop) -> None:
            getattr(s, first).acquire()
            getattr(s, second).acquire()

        return thread

    def opens(s: Shop) -> None:
        rb.wait_until(lambda: s.one.locked() and s.two.locked())
        s.one.release()
        s.two.release()

    # Each has one lock in the end, or both; nobody waits for good if both are taken first.
    threads = {"a": holds_and_waits("one", "two"), "b": holds_and_waits("two", "one"), "c": opens}
    assert "deadlock.cycle" not in {
        finding.rule for finding in rb.explore(program(threads), executions=60).findings
    }


def test_who_ends_with_it_leaves_it_taken() -> None:
    for result in modes(program({"a": lambda s: s.one.acquire(), "b": add})):
        assert [finding.rule for finding in result.findings] == ["deadlock.wait"]


def test_who_waits_with_a_timeout_gets_an_item_or_none() -> None:
    def impatient(s: Shop) -> str:
        try:
            return str(s.items.get(timeout=1.0))
        except queue.Empty:
            return "none"

    seen = set()

    def check(s: Shop, results: dict[str, Any]) -> None:
        seen.add((results["a"], results["b"]))

    assert rb.verify(
        rb.Program("shop", Shop, {"a": impatient, "b": impatient, "c": puts}, check=check)
    ).complete
    assert seen == {("a", "b"), ("b", "a"), ("a", "none"), ("none", "a"), ("none", "none")}


@pytest.mark.parametrize("timeout", [0, 1])
def test_a_try_of_ones_own_is_searched_before_and_after_another_one_releases_it(timeout: int) -> None:
    def tries(s: Shop) -> bool:
        s.one.acquire()
        return s.one.acquire(timeout=timeout) if timeout else s.one.acquire(blocking=False)

    def gives(s: Shop) -> bool:
        with suppress(RuntimeError):
            s.one.release()
            return True
        return False

    seen = set()
    check = lambda s, results: seen.add((results["a"], results["b"]))  # noqa: E731
    assert rb.verify(rb.Program("shop", Shop, {"a": tries, "b": gives}, check=check)).complete
    assert seen == {(True, True), (False, True), (False, False)}


def test_who_notifies_when_another_one_has_released_the_lock_misuses_it() -> None:
    class Told(Shop):
        def __init__(self) -> None:
            super().__init__()
            self.condition = rb.Condition(self.one)

    def tells(s: Told) -> None:
        s.one.acquire()
        s.condition.notify()

    threads: dict[str, Callable[[Any], Any]] = {"a": tells, "b": lambda s: s.said.release()}
    assert rb.verify(rb.Program("told", Told, threads)).verdict is rb.Verdict.CLEAN
    threads["b"] = lambda s: s.one.locked() and s.one.release()
    assert "lock.misuse" in {
        finding.rule for finding in rb.verify(rb.Program("told", Told, threads)).findings
    }


def test_a_queue_outside_a_run() -> None:
    items = SimpleQueue()
    items.put(1)
    assert (items.qsize(), items.get(), items.empty()) == (1, 1, True)
    with pytest.raises(queue.Empty):
        items.get(timeout=0.001)
    with pytest.raises(queue.Empty):
        items.get_nowait()
