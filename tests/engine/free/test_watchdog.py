"""The watchdog of the free run, with workers that do not run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from racebench.engine.free.watchdog import Watchdog


class Stepping:
    """A worker that goes on stepping: its count-down overwrites what the watchdog writes, ``deaf`` times."""

    name, thread, obj, batch, slot, clock = "a", None, None, 1, 0, None

    def __init__(self, deaf: int) -> None:
        self.deaf, self.idle, self.lost, self.aborted = deaf, False, False, False
        self.faults: list[Any] = []
        self._fuel = 0

    @property
    def fuel(self) -> int:
        return self._fuel

    @fuel.setter
    def fuel(self, value: int) -> None:
        self._fuel = value - 1
        if value == 0:
            self.deaf -= 1
            if self.deaf < 0:
                self.idle = True


class Run:
    """As much of a run as the watchdog needs."""

    stopping = ended = False
    watchdog_error: Exception | None = None

    def __init__(self) -> None:
        self.over = threading.Event()
        self.given_up: list[Any] = []
        self.waits = self

    def give_up(self, worker: Any) -> None:
        self.given_up.append(worker)

    def set_noisy(self, noisy: bool) -> None: ...

    def tick(self) -> int:
        return 1

    def end_early(self) -> None:
        self.ended = True
        self.over.set()


def test_a_stepping_thread_is_told_until_it_hears() -> None:
    run, worker = Run(), Stepping(deaf=3)
    Watchdog(run, 1.0)._stalled(worker)  # type: ignore[arg-type]
    assert (worker.idle, worker.lost, worker.aborted) == (True, False, True)
    assert [fault.rule for _, fault in worker.faults] == ["stall.livelock"]
    assert run.stopping
    assert run.ended


def test_a_thread_that_never_hears_is_lost() -> None:
    run, worker = Run(), Stepping(deaf=1 << 30)
    Watchdog(run, 1.0)._stalled(worker)  # type: ignore[arg-type]
    assert worker.lost
    assert run.given_up == [worker]
    assert run.ended


def watch(run: Run, patience: float, until: threading.Event) -> None:
    """Have a watchdog look at ``run`` until something has come about."""
    watchdog = Watchdog(run, patience)  # type: ignore[arg-type]
    watchdog.start()
    try:
        assert until.wait(30)
    finally:
        watchdog.close()


class Asleep(Run):
    """A run in which a thread sleeps whose last waker has left."""

    def __init__(self) -> None:
        super().__init__()
        self.sleepers = ["a"]
        self.allowed: set[int] = set()
        self.everyone: list[Any] = []
        self.settled = threading.Event()

    def look_at_all(self) -> None:
        self.sleepers.clear()
        self.settled.set()


def test_a_collision_whose_last_runner_left_is_ended() -> None:
    run = Asleep()
    watch(run, 1.0, run.settled)
    assert not run.ended


class Hiring(list[Any]):
    """The workers of a run: each time they are gone through, one more has been hired just before."""

    def __init__(self) -> None:
        super().__init__([Stepping(0)])
        self.often = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        self.append(Stepping(0))
        if len(self) > 9:
            self.often.set()
        return super().__iter__()


def test_one_that_is_hired_between_the_look_and_the_verdict_still_moves() -> None:
    run = Asleep()
    run.everyone = hiring = Hiring()
    # With no patience whoever was looked at blocks.
    watch(run, 0.0, hiring.often)
    # Nobody was given up for one that blocks, since the newest may be whom it waits for.
    assert not run.ended
    assert [worker.faults for worker in list(hiring) if worker.faults] == []


def test_where_nobody_is_hired_one_that_blocks_is_given_up() -> None:
    run = Asleep()
    run.everyone = [Stepping(0)]
    watch(run, 0.0, run.over)
    assert run.everyone[0].faults
