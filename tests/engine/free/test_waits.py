"""The free run's wait-for graph, with the moments of its workers chosen by hand."""

from __future__ import annotations

import threading
from typing import Any

from racebench.engine.free.waits import Waits


class Sleeper:
    """A worker that is entered as waiting for ``obj`` in collision 0."""

    def __init__(self, name: str, obj: Any) -> None:
        self.name, self.obj = name, obj
        self.slot, self.idle, self.aborted = 0, False, False
        self.parked: object = object()
        self.gate = threading.Lock()
        self.gate.acquire()
        self.thread = None
        self.held: list[Any] = []
        self.events: list[Any] = []
        self.daemon, self.handling = False, ("", 0)


class Finishing(Sleeper):
    """A worker that lets go of its lock and passes the collision when it is first looked at."""

    def __init__(self, name: str, lock: Any) -> None:
        self._lock, self._slot = lock, 0
        super().__init__(name, None)
        lock.owner = self

    @property
    def slot(self) -> int:  # type: ignore[override]
        self._lock.owner, self._slot = None, 1
        return self._slot

    @slot.setter
    def slot(self, value: int) -> None:
        self._slot = value


class Owned:
    cls, name = "log", "log"

    def __init__(self) -> None:
        self.owner: Any = None

    def label(self) -> str:
        return self.name

    def owners_for(self, worker: Any) -> tuple[Any, ...]:
        return () if self.owner is None else (self.owner,)

    def stuck_for(self, worker: Any) -> bool:
        return self.owner is not None


class Nobodys(Owned):
    def stuck_for(self, worker: Any) -> bool:
        return True


def waits(*workers: Any) -> Waits:
    return Waits(workers, lambda me: None, lambda: 0)


def test_one_who_passes_while_it_is_looked_at_leaves_nobody_stuck() -> None:
    lock = Owned()
    sleeper = Sleeper("a", lock)
    waits(sleeper, Finishing("b", lock)).settle(0)
    assert not sleeper.events
    assert not sleeper.aborted


def test_its_twin_with_nobody_left_to_come_is_stuck() -> None:
    sleeper = Sleeper("a", Nobodys())
    passed = Sleeper("b", None)
    passed.slot = 1
    waits(sleeper, passed).settle(0)
    assert [event.rule for _, event in sleeper.events] == ["deadlock.wait"]
    assert sleeper.aborted


def test_one_who_may_still_come_leaves_nobody_stuck() -> None:
    sleeper = Sleeper("a", Nobodys())
    waits(sleeper, Sleeper("b", None)).settle(0)
    assert not sleeper.events
