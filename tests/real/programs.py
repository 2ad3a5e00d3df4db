"""Small programs over plain ``threading``, ``queue`` and ``concurrent.futures``, each with its right answer.

Nothing here knows of RaceBench: each class is what a stranger would write.  ``PROGRAMS``
has for each name its class, the functions of its threads, the rules that are to be found
("" for one whose check fails) and, where the order of results matters, a check.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any


class Account:
    def __init__(self) -> None:
        self.balance = 0
        self.lock = threading.Lock()
        self.again = threading.RLock()
        self.other = threading.Lock()
        self.slots = threading.Semaphore(1)
        self.bounded = threading.BoundedSemaphore(1)
        self.ready = threading.Event()
        self.changed = threading.Condition()
        self.meeting = threading.Barrier(2)
        self.jobs: queue.Queue[Any] = queue.Queue()
        self.small: queue.Queue[Any] = queue.Queue(1)
        self.simple: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.log: list[Any] = []
        self.seen: dict[str, int] = {}

    def add(self) -> None:
        self.balance += 1

    def add_locked(self) -> None:
        with self.lock:
            self.balance += 1

    def add_twice_locked(self) -> None:
        with self.again, self.again:
            self.balance += 1

    def add_self_deadlock(self) -> None:
        with self.lock, self.lock:
            self.balance += 1

    def add_with_semaphore(self) -> None:
        with self.slots:
            self.balance += 1

    def add_with_bounded(self) -> None:
        with self.bounded:
            self.balance += 1

    def one_then_other(self) -> None:
        with self.lock, self.other:
            self.balance += 1

    def other_then_one(self) -> None:
        with self.other, self.lock:
            self.balance += 1

    def one_then_try_other(self) -> None:
        with self.lock:
            if self.other.acquire(blocking=False):
                self.other.release()

    def one_then_other_in_time(self) -> bool:
        with self.lock:
            got = self.other.acquire(timeout=1)
            if got:
                self.other.release()
            return got

    def publish(self) -> None:
        self.balance = 5
        self.ready.set()

    def publish_too_early(self) -> None:
        self.ready.set()
        self.balance = 5

    def await_published(self) -> int:
        self.ready.wait()
        return self.balance

    def await_published_in_time(self) -> int:
        return self.balance if self.ready.wait(1) else -1

    def forget_the_answer_of_wait(self) -> int:
        self.ready.wait(1)
        return self.balance

    def produce(self) -> None:
        with self.changed:
            self.log.append(1)
            self.changed.notify()

    def produce_without_notify(self) -> None:
        with self.changed:
            self.log.append(1)

    def consume(self) -> int:
        with self.changed:
            while not self.log:
                self.changed.wait()
            return self.log.pop()

    def consume_for(self) -> int:
        with self.changed:
            self.changed.wait_for(lambda: self.log)
            return self.log.pop()

    def consume_if(self) -> int:
        with self.changed:
            if not self.log:
                self.changed.wait()
            return self.log.pop()

    def consume_without_looking(self) -> int:
        with self.changed:
            self.changed.wait()
            return self.log.pop()

    def notify_without_lock(self) -> None:
        self.changed.notify()

    def meet(self) -> int:
        return self.meeting.wait()

    def abort_meeting(self) -> None:
        self.meeting.abort()

    def meet_or_broken(self) -> str:
        try:
            self.meeting.wait()
        except threading.BrokenBarrierError:
            return "broken"
        return "met"

    def write_then_meet(self) -> int:
        self.balance = 3
        self.meeting.wait()
        return 0

    def meet_then_read(self) -> int:
        self.meeting.wait()
        return self.balance

    def put_two(self) -> None:
        self.jobs.put(1)
        self.jobs.put(2)

    def get_two(self) -> list[int]:
        return [self.jobs.get(), self.jobs.get()]

    def put_two_small(self) -> None:
        self.small.put(1)
        self.small.put(2)

    def get_one_small(self) -> int:
        return int(self.small.get())

    def get_two_small(self) -> list[int]:
        return [self.small.get(), self.small.get()]

    def work_and_say_done(self) -> None:
        self.jobs.get()
        self.balance += 1
        self.jobs.task_done()

    def put_and_join(self) -> int:
        self.jobs.put(1)
        self.jobs.join()
        return self.balance

    def check_then_get(self) -> None:
        if not self.jobs.empty():
            self.jobs.get_nowait()

    def put_one(self) -> None:
        self.jobs.put(1)

    def get_in_time(self) -> Any:
        try:
            return self.jobs.get(timeout=1)
        except queue.Empty:
            return None

    def put_simple(self) -> None:
        self.simple.put("item")

    def get_simple(self) -> Any:
        return self.simple.get()

    def start_and_join(self) -> int:
        child = threading.Thread(target=self.add)
        child.start()
        child.join()
        return self.balance

    def write_then_start(self) -> int:
        self.balance = 4
        child = threading.Thread(target=self.add)
        child.start()
        child.join()
        return self.balance

    def start_and_read(self) -> int:
        child = threading.Thread(target=self.add)
        child.start()
        seen = self.balance
        child.join()
        return seen

    def start_two(self) -> None:
        both = [threading.Thread(target=self.add) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()

    def join_with_lock_held(self) -> None:
        child = threading.Thread(target=self.add_locked)
        with self.lock:
            child.start()
            child.join()

    def start_daemon(self) -> None:
        threading.Thread(target=self.jobs.get, daemon=True).start()

    def start_no_daemon(self) -> None:
        threading.Thread(target=self.jobs.get).start()

    def timer(self) -> int:
        later = threading.Timer(5, self.add_locked)
        later.start()
        later.join()
        return self.balance

    def pool(self) -> int:
        with ThreadPoolExecutor(2) as workers:
            for one in [workers.submit(self.add_locked) for _ in range(2)]:
                one.result()
        return self.balance

    def pool_without_lock(self) -> int:
        with ThreadPoolExecutor(2) as workers:
            for one in [workers.submit(self.add) for _ in range(2)]:
                one.result()
        return self.balance

    def pool_waits_for_itself(self) -> None:
        with ThreadPoolExecutor(1) as workers:

            def outer() -> int:
                return workers.submit(int).result()

            workers.submit(outer).result()

    def sleep_and_read(self) -> int:
        time.sleep(1)
        return self.balance

    def count(self) -> None:
        self.seen["k"] = self.seen.get("k", 0) + 1

    def count_locked(self) -> None:
        with self.lock:
            self.count()

    def cached(self) -> None:
        if "k" not in self.seen:
            self.seen["k"] = 1
        else:
            del self.seen["k"]

    def signal(self) -> None:
        self.balance = 9
        self.lock.release()

    def release_twice(self) -> None:
        self.bounded.release()


class Locked(Account):
    """Somebody has taken ``lock`` for others to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.lock.acquire()

    def await_signal(self) -> int:
        self.lock.acquire()
        return self.balance


class Lazy:
    def get(self) -> Any:
        if not hasattr(self, "value"):
            self.value = object()
        return self.value


class LazyLocked(Lazy):
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def get(self) -> Any:
        with self.lock:
            return super().get()


class ReadWrite:
    """Readers in front of writers, from two locks."""

    def __init__(self) -> None:
        self.readers = 0
        self.mutex, self.room = threading.Lock(), threading.Lock()
        self.page = (0, 0)

    def read(self) -> tuple[int, int]:
        with self.mutex:
            self.readers += 1
            if self.readers == 1:
                self.room.acquire()
        seen = self.page
        with self.mutex:
            self.readers -= 1
            if not self.readers:
                self.room.release()
        return seen

    def write(self) -> None:
        with self.room:
            self.page = (1, 1)


class Promise:
    def __init__(self) -> None:
        self.future: Future[int] = Future()

    def fulfil(self) -> None:
        self.future.set_result(4)

    def ask(self) -> int:
        return self.future.result()


Check = Callable[[Any, dict[str, Any]], bool]


@dataclass
class Small:
    """One program; ``finds`` are the rules that ``verify`` must find, all of them."""

    threads: tuple[str, ...]
    finds: frozenset[str] = frozenset()
    right: Check | None = None
    cls: type = Account


def _all(*rules: str) -> frozenset[str]:
    return frozenset(rules)


def _sum(n: int) -> Check:
    return lambda s, results: s.balance == n


def _first(*values: Any) -> Check:
    return lambda s, results: results["t0"] in values


LOST = _all("wrong", "data_race")
PROGRAMS = {
    "lost update": Small(("add", "add"), LOST, _sum(2)),
    "locked update": Small(("add_locked", "add_locked"), right=_sum(2)),
    "one forgets the lock": Small(("add_locked", "add"), LOST, _sum(2)),
    "re-entrant lock": Small(("add_twice_locked", "add_twice_locked"), right=_sum(2)),
    "lock taken twice": Small(("add_self_deadlock",), _all("deadlock.self")),
    "semaphore as a lock": Small(("add_with_semaphore", "add_with_semaphore"), right=_sum(2)),
    "bounded semaphore as a lock": Small(("add_with_bounded", "add_with_bounded"), right=_sum(2)),
    "bounded semaphore released too often": Small(("release_twice",), _all("program.error")),
    "two locks in one order": Small(("one_then_other", "one_then_other"), right=_sum(2)),
    "two locks in two orders": Small(
        ("one_then_other", "other_then_one"), _all("deadlock.cycle", "lock_order.inversion")
    ),
    "the second lock is only tried": Small(("one_then_try_other", "other_then_one")),
    "the second lock has a timeout": Small(("one_then_other_in_time", "other_then_one")),
    "published by an event": Small(("await_published", "publish"), right=_first(5)),
    "published too early": Small(("await_published", "publish_too_early"), LOST, _first(5)),
    "an event in time": Small(("await_published_in_time", "publish"), right=_first(5, -1)),
    "an event in time, nobody asks": Small(("forget_the_answer_of_wait", "publish"), LOST, _first(5)),
    "an event that nobody sets": Small(("await_published",), _all("deadlock.wait")),
    "condition with a loop": Small(("consume", "produce"), right=_first(1)),
    "condition with wait_for": Small(("consume_for", "produce"), right=_first(1)),
    "condition that nobody notifies": Small(("consume", "produce_without_notify"), _all("deadlock.wait")),
    "condition with an if, two consumers": Small(
        ("consume_if", "consume", "produce", "produce"), _all("program.error")
    ),
    "a wait that comes after its notification": Small(
        ("consume_without_looking", "produce"), _all("deadlock.wait")
    ),
    "barrier": Small(("meet", "meet"), right=lambda s, r: {r["t0"], r["t1"]} == {0, 1}),
    "barrier that one does not come to": Small(("meet",), _all("deadlock.wait")),
    "barrier that breaks": Small(("meet_or_broken", "abort_meeting"), right=_first("broken")),
    "barrier orders": Small(("meet_then_read", "write_then_meet"), right=_first(3)),
    "queue in order": Small(("get_two", "put_two"), right=lambda s, r: r["t0"] == [1, 2]),
    "bounded queue": Small(("get_two_small", "put_two_small"), right=lambda s, r: r["t0"] == [1, 2]),
    "bounded queue that stays full": Small(("put_two_small",), _all("deadlock.wait")),
    "bounded queue, one is taken": Small(("put_two_small", "get_one_small")),
    "queue.join": Small(("put_and_join", "work_and_say_done"), right=_first(1)),
    "empty, then get": Small(("check_then_get", "check_then_get", "put_one"), _all("program.error")),
    "get in time": Small(("get_in_time", "put_one"), right=_first(1, None)),
    "simple queue": Small(("get_simple", "put_simple"), right=_first("item")),
    "join orders": Small(("start_and_join",), right=_first(1)),
    "start orders": Small(("write_then_start",), right=_first(5)),
    "no join, no order": Small(("start_and_read",), _all("data_race", "wrong"), _first(1)),
    "two children": Small(("start_two",), LOST, _sum(2)),
    "join with the lock that the child wants": Small(("join_with_lock_held",), _all("deadlock.cycle")),
    "a daemon that waits": Small(("start_daemon", "add_locked")),
    "one that waits and is none": Small(("start_no_daemon",), _all("deadlock.wait")),
    "timer": Small(("timer",), right=_first(1)),
    "pool": Small(("pool",), right=_first(2)),
    "pool without a lock": Small(("pool_without_lock",), LOST, _first(2)),
    "pool of one that waits for itself": Small(("pool_waits_for_itself",), _all("deadlock.wait")),
    "sleep is no order": Small(("sleep_and_read", "add"), _all("data_race", "wrong"), _first(1)),
    "dict, read and written": Small(("count", "count"), _all("wrong"), lambda s, r: s.seen["k"] == 2),
    "dict, locked": Small(("count_locked", "count_locked"), right=lambda s, r: s.seen["k"] == 2),
    "look, then delete": Small(("cached", "cached", "cached"), _all("program.error")),
    "a lock as a signal": Small(("await_signal", "signal"), right=_first(9), cls=Locked),
    "made once, perhaps twice": Small(
        ("get", "get"), _all("wrong", "data_race"), lambda s, r: r["t0"] is r["t1"], cls=Lazy
    ),
    "made once": Small(("get", "get"), right=lambda s, r: r["t0"] is r["t1"], cls=LazyLocked),
    "readers and a writer": Small(
        ("read", "read", "write"),
        # Inverted, and proved unreachable.
        _all("lock_order.inversion"),
        right=lambda s, r: r["t0"] in ((0, 0), (1, 1)),
        cls=ReadWrite,
    ),
    "a future": Small(("ask", "fulfil"), right=_first(4), cls=Promise),
}
