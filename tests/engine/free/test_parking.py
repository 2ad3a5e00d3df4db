"""Sleeping in the free run, step by step, and what comes to a worker before it does."""

from __future__ import annotations

from typing import Any

import racebench as rb
from racebench.primitives import installed

from .test_fair_rwlocks import Crowd


def semaphore(crowd: Crowd, n: int = 0) -> Any:
    with installed(crowd.run):
        return rb.Semaphore(n, "sem")


def test_a_release_goes_to_the_one_who_came_first() -> None:
    crowd = Crowd("a", "b", "c")
    sem = semaphore(crowd)
    crowd.sleeps("a", sem.acquire)
    crowd.sleeps("b", sem.acquire)
    crowd.does("c", sem.release)
    crowd.threads.pop(0).join(60)
    assert crowd.ended == ["a", "c"] or crowd.ended == ["c", "a"]
    assert sem.count == 0
    assert crowd.workers["a"].obj is None
    assert crowd.workers["b"].obj is sem
    crowd.does("c", sem.release)
    crowd.join()


def test_who_is_stuck_on_going_to_sleep_leaves_no_open_gate_behind() -> None:
    """A gate that is open already would end the next sleep at once."""
    crowd = Crowd("a", "b")
    sem, never = semaphore(crowd), semaphore(crowd)
    crowd.sleeps("a", never.acquire)
    b = crowd.does("b", never.acquire)
    crowd.join()
    assert sorted(crowd.ended) == ["a aborted", "b aborted"]
    assert [fault.rule for w in crowd.workers.values() for _, fault in w.faults] == ["deadlock.wait"]
    crowd.ended.clear()
    for worker in crowd.workers.values():
        worker.aborted = False
    crowd.sleeps("b", sem.acquire)
    crowd.does("a", sem.release)
    crowd.join()
    assert sorted(crowd.ended) == ["a", "b"]
    assert b.parked is None


def test_a_waiter_of_a_condition_that_gives_up_takes_no_notification() -> None:
    crowd = Crowd("a", "b", "c")
    with installed(crowd.run):
        cond = rb.Condition(cls="cond")

    def waits() -> None:
        with cond:
            cond.wait()

    def notifies() -> None:
        with cond:
            cond.notify()

    crowd.sleeps("a", waits)
    crowd.sleeps("b", waits)
    with crowd.run.waits.mutex:
        crowd.workers["a"].aborted = True
        crowd.run.waits._poke(crowd.workers["a"])
    crowd.threads.pop(0).join(60)
    crowd.does("c", notifies)
    crowd.join()
    assert crowd.ended == ["a aborted", "c", "b"] or crowd.ended == ["a aborted", "b", "c"]
    assert not cond.lock.locked()


class Line(rb.State):
    def __init__(self) -> None:
        self.raised = rb.Semaphore(0, "raised")


def waits_for_it(s: Line) -> None:
    s.raised.acquire()


def test_a_wait_that_nobody_ends_is_found() -> None:
    result = rb.stress(rb.Program("line", Line, {"a": waits_for_it}), seconds=60, stop_on_first=True)
    assert [finding.rule for finding in result.findings] == ["deadlock.wait"]
