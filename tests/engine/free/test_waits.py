"""The free run's wait-for graph, with the moments of its workers chosen by hand."""

from __future__ import annotations

import threading
from typing import Any

import racebench as rb
from racebench.engine.free.waits import Waits
from tests.outside import from_outside


class Sleeper:
    """A worker that is entered as waiting for ``obj`` in collision 0."""

    def __init__(self, name: str, obj: Any) -> None:
        self.name, self.obj = name, obj
        self.slot, self.idle, self.aborted = 0, False, False
        self.parked: object = object()
        self.gate = threading.Lock()
        self.gate.acquire()
        self.thread = self.waits_at = None
        self.held: list[Any] = []
        self.faults: list[Any] = []
        self.daemon, self.child, self.handling = False, False, ("", 0)

    @property
    def waits(self) -> bool:
        return self.obj is not None


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
    waits(sleeper, Finishing("b", lock)).part_over(0)
    assert not sleeper.faults
    assert not sleeper.aborted


def test_its_twin_with_nobody_left_to_come_is_stuck() -> None:
    sleeper = Sleeper("a", Nobodys())
    passed = Sleeper("b", None)
    passed.slot = 1
    waits(sleeper, passed).part_over(0)
    assert [fault.rule for _, fault in sleeper.faults] == ["deadlock.wait"]
    assert sleeper.aborted


def test_one_who_may_still_come_leaves_nobody_stuck() -> None:
    sleeper = Sleeper("a", Nobodys())
    waits(sleeper, Sleeper("b", None)).part_over(0)
    assert not sleeper.faults


class Flags(rb.State):
    raised = rb.shared(False)

    def __init__(self) -> None:
        self.looked = 0
        self.looking, self.go_on = from_outside(threading.Event), from_outside(threading.Event)


def _first(s: Flags) -> None:
    try:
        rb.wait_until(lambda: s.raised)
    finally:
        s.go_on.set()


def _second(s: Flags) -> None:
    rb.wait_until(lambda: s.raised)


def _last(s: Flags) -> None:
    """Comes when the other one waits and is in the middle of its predicate once more."""
    s.looking.wait()
    _first(s)


def _looking(s: Flags) -> None:
    me = threading.current_thread()

    def raised() -> bool:
        if threading.current_thread() is me:
            s.looked += 1
            if s.looked > 1:
                s.looking.set()
                s.go_on.wait()
        return s.raised

    rb.wait_until(raised)


def test_who_looks_at_its_predicate_waits_where_it_began_to() -> None:
    """One fault has one signature in every mode, whatever its threads do at that moment."""
    freely = rb.Program("flags", Flags, {"a": _last, "b": _looking})
    [hammered] = rb.stress(freely, stop_on_first=True).findings
    [proved] = rb.verify(rb.Program("flags", Flags, {"a": _first, "b": _second})).findings
    assert hammered.signature == "deadlock.wait: wait_until in _first, wait_until in _looking"
    assert proved.signature == "deadlock.wait: wait_until in _first, wait_until in _second"
