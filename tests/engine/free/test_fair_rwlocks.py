"""Fair read-write locks and conditions that wake unasked: outside a run, and in the free one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import racebench as rb
from racebench.engine.free.run import FreeRun
from racebench.engine.free.worker import Worker
from racebench.engine.stuck import find_ring
from racebench.errors import ThreadAbort
from racebench.primitives import installed


@pytest.fixture(autouse=True)
def nobody_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class Watched(threading.Condition):
    """A monitor that says when a thread begins to wait in it."""

    def __init__(self) -> None:
        super().__init__(threading.Lock())
        self.waiting = threading.Semaphore(0)

    def wait(self, timeout: float | None = None) -> bool:
        self.waiting.release()
        return super().wait(timeout)


def started(run: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def outside(fair: bool) -> tuple[rb.RWLock, Watched]:
    lock, monitor = rb.RWLock("rw", fair=fair), Watched()
    lock._monitor = monitor  # type: ignore[misc]
    return lock, monitor


def test_outside_a_run_a_waiting_writer_holds_a_new_reader_back() -> None:
    lock, monitor = outside(fair=True)
    order: list[str] = []

    def write() -> None:
        with lock.write():
            order.append("writer")

    def read() -> None:
        with lock.read():
            order.append("reader")

    lock.acquire_read()
    threads = [started(write)]
    assert monitor.waiting.acquire(timeout=60)
    threads.append(started(read))
    assert monitor.waiting.acquire(timeout=60)
    lock.release_read()
    for thread in threads:
        thread.join(60)
    assert order == ["writer", "reader"]


def test_outside_a_run_an_unfair_lock_lets_the_reader_pass() -> None:
    lock, monitor = outside(fair=False)
    lock.acquire_read()
    writer = started(lambda: lock.acquire_write() and lock.release_write())
    assert monitor.waiting.acquire(timeout=60)
    with lock.read():
        assert len(lock.readers) == 2
    lock.release_read()
    writer.join(60)


# -- the free engine, step by step: each worker of a run is one thread


class Crowd:
    """Workers of a free run that do as they are told, one call at a time."""

    def __init__(self, *names: str) -> None:
        program = rb.Program("crowd", lambda: None, {name: lambda s: None for name in names})
        self.run = FreeRun(program, seed=0)
        self.asleep = threading.Semaphore(0)
        self.run.waits._on_block = lambda me: self.asleep.release()
        self.workers = {w.name: w for w in self.run.workers}
        for worker in self.run.workers:
            worker.idle = False
        self.threads: list[threading.Thread] = []
        self.ended: list[str] = []

    def lock(self, **how: Any) -> Any:
        with installed(self.run):
            return rb.RWLock("rw", **how)

    def does(self, name: str, call: Callable[[], Any]) -> Worker:
        """``name`` makes the call in a thread of its own; it must return."""
        thread = self._start(name, call)
        thread.join(60)
        assert not thread.is_alive()
        return self.workers[name]

    def sleeps(self, name: str, call: Callable[[], Any]) -> Worker:
        """``name`` makes the call and goes to sleep in it."""
        self.threads.append(self._start(name, call))
        assert self.asleep.acquire(timeout=60)
        return self.workers[name]

    def _start(self, name: str, call: Callable[[], Any]) -> threading.Thread:
        def work() -> None:
            self.run.local.worker = self.workers[name]
            try:
                call()
                self.ended.append(name)
            except ThreadAbort:
                self.ended.append(f"{name} aborted")

        return started(work)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive()
        self.threads.clear()


def test_a_waiting_writer_holds_a_new_reader_back() -> None:
    crowd = Crowd("r", "w", "late")
    lock = crowd.lock()
    r = crowd.does("r", lock.acquire_read)
    w = crowd.sleeps("w", lock.acquire_write)
    late = crowd.sleeps("late", lock.acquire_read)
    assert list(lock.owners_for(w)) == [r]
    assert list(lock.owners_for(late)) == [w]
    crowd.does("r", lock.release_read)
    crowd.threads.pop(0).join(60)
    assert lock.writer is w
    assert list(lock.owners_for(late)) == [w]
    crowd.does("w", lock.release_write)
    crowd.join()
    assert lock.readers == [late]


def test_an_unfair_lock_lets_the_reader_pass() -> None:
    crowd = Crowd("r", "w", "late")
    lock = crowd.lock(fair=False)
    crowd.does("r", lock.acquire_read)
    crowd.sleeps("w", lock.acquire_write)
    crowd.does("late", lock.acquire_read)
    crowd.does("late", lock.release_read)
    crowd.does("r", lock.release_read)
    crowd.join()
    assert lock.writer is crowd.workers["w"]


def test_a_reader_waits_for_the_writers_that_it_found_and_for_no_later_one() -> None:
    crowd = Crowd("r", "w", "late", "later")
    lock = crowd.lock()
    r = crowd.does("r", lock.acquire_read)
    w = crowd.sleeps("w", lock.acquire_write)
    late = crowd.sleeps("late", lock.acquire_read)
    later = crowd.sleeps("later", lock.acquire_write)
    assert list(lock.owners_for(late)) == [w]
    assert list(lock.owners_for(later)) == [r]
    crowd.does("r", lock.release_read)
    crowd.threads.pop(0).join(60)
    # w goes; the queue has the reader and a writer that came after it.
    crowd.does("w", lock.release_write)
    crowd.threads.pop(0).join(60)
    assert lock.readers == [late]
    assert list(lock.owners_for(later)) == [late]
    crowd.does("late", lock.release_read)
    crowd.join()


def test_a_reader_that_leaves_lets_nobody_in_before_the_writer() -> None:
    crowd = Crowd("r", "s", "w", "late")
    lock = crowd.lock()
    crowd.does("r", lock.acquire_read)
    s = crowd.does("s", lock.acquire_read)
    w = crowd.sleeps("w", lock.acquire_write)
    late = crowd.sleeps("late", lock.acquire_read)
    crowd.does("r", lock.release_read)
    assert lock.readers == [s]
    assert late.parked is not None
    crowd.does("s", lock.release_read)
    crowd.threads.pop(0).join(60)
    assert lock.writer is w
    crowd.does("w", lock.release_write)
    crowd.join()
    assert lock.readers == [late]


def test_a_reader_that_comes_again_behind_a_writer_is_a_ring() -> None:
    crowd = Crowd("r", "w")
    lock = crowd.lock()
    r = crowd.does("r", lock.acquire_read)
    w = crowd.sleeps("w", lock.acquire_write)
    assert find_ring(w, lambda task: task.obj is not None) is None
    crowd.does("r", lock.acquire_read)
    crowd.join()
    assert sorted(crowd.ended) == ["r", "r aborted", "w aborted"]
    [(_, fault)] = r.faults
    assert fault.rule == "deadlock.cycle"
    assert "and waits behind writer w (waiting in " in fault.message
    assert [edge.get("behind", False) for edge in fault.evidence["ring"]] == [True, False]
    assert not lock.wanting
    assert not lock.behind


def test_who_waits_behind_a_writer_that_gives_up_goes_on() -> None:
    crowd = Crowd("r", "w", "late")
    lock = crowd.lock()
    crowd.does("r", lock.acquire_read)
    w = crowd.sleeps("w", lock.acquire_write)
    late = crowd.sleeps("late", lock.acquire_read)
    with crowd.run.waits.mutex:
        w.aborted = True
        crowd.run.waits._poke(w)
    crowd.join()
    assert lock.readers == [crowd.workers["r"], late]


class Rude(rb.State):
    x = rb.shared(0)

    def __init__(self) -> None:
        self.cond = rb.Condition(cls="cond", spurious=True)
        self.polite = rb.Condition(cls="polite")


def shout(s: Rude) -> None:
    with s.cond:
        s.x = 1
        s.cond.notify_all()


def naive(s: Rude) -> None:
    with s.cond:
        if not s.x:
            s.cond.wait()
        rb.check_that(s.x, "woken.early", "nobody has called")


def careful(s: Rude) -> None:
    with s.cond:
        while not s.x:
            s.cond.wait()


def test_who_does_not_look_again_is_found_out() -> None:
    result = rb.stress(rb.Program("rude", Rude, {"a": naive, "b": shout}), 60, stop_on_first=True)
    assert [finding.rule for finding in result.findings] == ["woken.early"]


def test_a_wait_ends_unasked_once_and_then_waits() -> None:
    """Nobody ever calls: whoever wakes looks, and waits again; that is one wait without end."""

    result = rb.stress(rb.Program("alone", Rude, {"a": careful, "b": lambda s: s.x}), 60, stop_on_first=True)
    assert [finding.rule for finding in result.findings] == ["deadlock.wait"]


def test_a_polite_condition_never_wakes_unasked() -> None:
    def waits(s: Rude) -> None:
        with s.polite:
            s.polite.wait()
            rb.check_that(False, "woken", "unasked")

    program = rb.Program("polite", Rude, {"a": waits, "b": lambda s: s.x})
    result = rb.stress(program, 60, stop_on_first=True)
    assert [finding.rule for finding in result.findings] == ["deadlock.wait"]


def test_outside_a_run_a_condition_wakes_when_it_is_told() -> None:
    condition = rb.Condition(spurious=True)
    assert condition.spurious
    woken = []

    def wait() -> None:
        with condition:
            ready.release()
            woken.append(condition.wait())

    ready = threading.Semaphore(0)
    thread = started(wait)
    assert ready.acquire(timeout=60)
    with condition:
        condition.notify()
    thread.join(60)
    assert woken == [True]
