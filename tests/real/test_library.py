"""The standard library's own modules, unmodified, in small programs that are proved."""

from __future__ import annotations

import concurrent.futures
import logging
import queue
import sched
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import racebench as rb


class Bag:
    """What the threads of a program share: ``it``."""

    def __init__(self, it: Any = None) -> None:
        self.it = it


def proved(
    threads: dict[str, Callable[[Bag], Any]], make: Callable[[], Any] = lambda: None, **how: Any
) -> set[Any]:
    """The results that there are, of a program that is clean and wholly searched."""
    seen: set[Any] = set()

    def keep(s: Bag, results: dict[str, Any]) -> None:
        seen.add(tuple(results.values()))

    program = rb.Program("library", lambda: Bag(make()), threads, check=keep, **how)
    result = rb.verify(program, seconds=60)
    assert result.findings == () and result.stats["unseen"] == ()
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)
    assert rb.explore(program, executions=30).verdict is rb.Verdict.CLEAN
    return seen


QUEUES: dict[str, Callable[[], Any]] = {
    "Queue": lambda: queue.Queue(),
    "LifoQueue": lambda: queue.LifoQueue(),
    "PriorityQueue": lambda: queue.PriorityQueue(),
    "SimpleQueue": lambda: queue.SimpleQueue(),
    "bounded": lambda: queue.Queue(1),
}


@pytest.mark.parametrize("kind", QUEUES)
def test_all_that_is_put_comes_out_once(kind: str) -> None:
    seen = proved(
        {
            "puts": lambda s: [s.it.put(n) for n in (2, 1)] and None,
            "gets": lambda s: (s.it.get(), s.it.get()),
        },
        QUEUES[kind],
    )
    orders = {"Queue": {(2, 1)}, "SimpleQueue": {(2, 1)}, "bounded": {(2, 1)}}
    assert {got for _, got in seen} == orders.get(kind, {(2, 1), (1, 2)})


def test_join_returns_when_all_is_done() -> None:
    def works(s: Bag) -> None:
        s.it.get()
        s.it.task_done()

    assert proved({"puts": lambda s: s.it.put(1) or s.it.join(), "works": works}, queue.Queue) == {
        (None, None)
    }


def in_pool(use: Callable[[ThreadPoolExecutor], Any]) -> Callable[[Bag], Any]:
    def thread(s: Bag) -> Any:
        pool = ThreadPoolExecutor(1)
        try:
            return use(pool)
        finally:
            pool.shutdown()

    return thread


def test_a_pool_gives_results_and_what_was_raised() -> None:
    def both(pool: ThreadPoolExecutor) -> Any:
        return pool.submit(int, "3").result(), type(pool.submit(int, "x").exception()).__name__

    assert proved({"main": in_pool(both)}) == {((3, "ValueError"),)}


def test_what_has_not_begun_can_be_cancelled() -> None:
    def cancels(pool: ThreadPoolExecutor) -> Any:
        first, second = pool.submit(int), pool.submit(int)
        return second.cancel(), first.result()

    assert proved({"main": in_pool(cancels)}) == {((True, 0),), ((False, 0),)}


def test_shutdown_may_cancel_what_waits() -> None:
    def ends(s: Bag) -> Any:
        pool = ThreadPoolExecutor(1)
        futures = [pool.submit(int), pool.submit(int)]
        pool.shutdown(cancel_futures=True)
        return tuple(future.cancelled() for future in futures)

    # The worker takes them first come, first served: what is cancelled comes after what is not.
    assert proved({"main": ends}) >= {((False, False),), ((False, True),), ((True, True),)}


def test_a_result_may_come_too_late() -> None:
    def impatient(pool: ThreadPoolExecutor) -> Any:
        try:
            return pool.submit(int).result(timeout=1)
        except concurrent.futures.TimeoutError:
            return "late"

    assert proved({"main": in_pool(impatient)}) == {(0,), ("late",)}


def test_a_pool_that_nobody_shuts_down_is_no_deadlock() -> None:
    def keeps(s: Bag) -> Any:
        s.it = ThreadPoolExecutor(1)
        return s.it.submit(int).result()

    assert proved({"main": keeps}, instrument=[Bag]) == {(0,)}


def test_a_barrier_lets_all_through_at_once() -> None:
    barrier: Callable[[], Any] = lambda: threading.Barrier(2)  # noqa: E731
    assert proved({"a": lambda s: s.it.wait(), "b": lambda s: s.it.wait()}, barrier) == {(0, 1), (1, 0)}


class OwnCondition(threading.Condition):
    """Derived from the real one, so its code is the library's."""


@pytest.mark.parametrize("cls", [threading.Condition, OwnCondition])
def test_wait_for_sees_what_was_said(cls: Any) -> None:
    class Said:
        def __init__(self) -> None:
            self.condition, self.word = (threading.Condition if cls is threading.Condition else cls)(), ""

    def waits(s: Any) -> Any:
        with s.condition:
            return s.condition.wait_for(lambda: s.word)

    def says(s: Any) -> None:
        with s.condition:
            s.word = "go"
            s.condition.notify_all()

    seen: set[Any] = set()

    def keep(s: Any, results: dict[str, Any]) -> None:
        seen.add(results["waits"])

    result = rb.verify(
        rb.Program("said", Said, {"waits": waits, "says": says}, check=keep, instrument=[Said, OwnCondition])
    )
    assert (result.findings, seen) == ((), {"go"})


def test_a_scheduler_runs_in_the_order_of_its_times() -> None:
    def runs(s: Bag) -> Any:
        done: list[int] = []
        events = sched.scheduler(time.monotonic, time.sleep)
        events.enter(2, 1, done.append, (2,))
        events.enter(1, 1, done.append, (1,))
        events.run()
        return tuple(done)

    assert proved({"main": runs, "other": lambda s: s.it}) == {((1, 2), None)}
    # Asleep in between, the other one makes both due at once: then who was entered first comes first.
    assert proved({"main": runs, "other": lambda s: time.sleep(1)}) == {((1, 2), None), ((2, 1), None)}


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())


def test_a_handler_of_logging_keeps_both_messages() -> None:
    class Logged:
        def __init__(self) -> None:
            self.log, self.kept = logging.Logger("own"), Kept()
            self.log.addHandler(self.kept)

    def check(s: Any, results: Any) -> rb.Broken | None:
        return None if sorted(s.kept.messages) == ["a", "b"] else rb.broken("log.lost", str(s.kept.messages))

    threads = {"a": lambda s: s.log.warning("a"), "b": lambda s: s.log.warning("b")}
    result = rb.verify(rb.Program("log", Logged, threads, check=check, instrument=[Kept]))
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)
