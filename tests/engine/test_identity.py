"""Two objects are one only if they are the same object, whatever the program's own classes say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import racebench as rb
from racebench.engine.instrument import SLOT


class Plain(rb.State):
    x = rb.shared(0)


class Equal(Plain):
    """Equal to all of its like, and so without a hash."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Equal)


class HashedByValue(Plain):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, HashedByValue) and self.x == other.x

    def __hash__(self) -> int:
        return 7


class Raises(Plain):
    def __eq__(self, other: object) -> bool:
        raise ValueError("compared")

    def __hash__(self) -> int:
        raise ValueError("hashed")


class Empty(Plain):
    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0


class Slotted(Plain):
    __slots__ = ("other",)


class Answers(Plain):
    """Has whatever it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return 1


class Stubborn(Plain):
    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("x", f"{SLOT}x"):
            raise AttributeError(name)
        super().__setattr__(name, value)


@dataclass
class Record(rb.State):
    x: int = rb.shared(0)


@dataclass(frozen=True)
class FrozenRecord(Plain):
    name: str = "n"


@dataclass(order=True)
class Ordered(rb.State):
    x: int = rb.shared(0)

    def __len__(self) -> int:
        return 0


STATES = (
    Plain, Equal, HashedByValue, Raises, Empty, Slotted, Answers, Stubborn, Record, FrozenRecord, Ordered,
)  # fmt: skip


class EqualLock(rb.Lock):
    def __eq__(self, other: object) -> bool:
        return isinstance(other, EqualLock)

    def __bool__(self) -> bool:
        return False


class RaisingLock(rb.Lock):
    def __eq__(self, other: object) -> bool:
        raise ValueError("compared")

    def __hash__(self) -> int:
        raise ValueError("hashed")


class EqualRLock(rb.RLock):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


LOCKS = (rb.Lock, EqualLock, RaisingLock, EqualRLock)


class Two(rb.State):
    """Two of a kind, each with a lock."""

    def __init__(self, state: Any, lock: Any) -> None:
        self.first, self.second = state(), state()
        self.one, self.two = lock("one"), lock("two")


def adds(to: str, *locks: str) -> Callable[[Any], None]:
    def add(s: Any) -> None:
        if locks:
            with getattr(s, locks[0]):
                adds(to, *locks[1:])(s)
        else:
            getattr(s, to).x += 1

    return add


def program(state: Any, lock: Any, a: Any, b: Any, left: int = 1) -> rb.Program:
    def check(s: Any, results: Any) -> Any:
        lost = [s.first.x, s.second.x] not in ([1, 1], [2, 0])
        return rb.broken("kind.lost", "one addition is lost") if lost else None

    return rb.Program("kind", lambda: Two(state, lock), {"a": a, "b": b}, check=check)


def verify(p: rb.Program) -> rb.Result:
    result = rb.verify(p, seconds=600, max_executions=20_000)
    assert result.complete
    return result


def explore(p: rb.Program) -> rb.Result:
    return rb.explore(p, executions=40)


def stress(p: rb.Program) -> rb.Result:
    return rb.stress(p, seconds=0.05)


MODES = (verify, explore, stress)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("state", STATES)
def test_two_that_are_equal_are_two(state: Any, mode: Any) -> None:
    """Each thread has its own: nothing is shared, so nothing races."""
    result = mode(program(state, rb.Lock, adds("first"), adds("second")))
    assert result.findings == ()


@pytest.mark.parametrize("mode", MODES[:2])
@pytest.mark.parametrize("state", STATES)
def test_one_is_one(state: Any, mode: Any) -> None:
    racy = program(state, rb.Lock, adds("first"), adds("first"))
    result = mode(racy)
    assert {f.rule for f in result.findings} == {"kind.lost", "data_race"}
    for finding in result.findings:
        assert finding.rule in {f.rule for f in rb.replay(racy, finding.schedule).findings}
        assert finding.evidence["steps"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("state", STATES)
def test_under_its_lock_nothing_is_lost(state: Any, mode: Any) -> None:
    result = mode(program(state, rb.Lock, adds("first", "one"), adds("first", "one")))
    assert result.findings == ()


def test_two_that_are_equal_make_no_more_schedules_than_two_that_are_not() -> None:
    counts = {
        state: verify(program(state, rb.Lock, adds("first"), adds("second"))).executions for state in STATES
    }
    assert set(counts.values()) == {1}


@pytest.mark.parametrize("mode", MODES[:2])
@pytest.mark.parametrize("lock", LOCKS)
def test_another_lock_that_is_equal_orders_nothing(lock: Any, mode: Any) -> None:
    result = mode(program(Plain, lock, adds("first", "one"), adds("first", "two")))
    assert {f.rule for f in result.findings} == {"kind.lost", "data_race"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lock", LOCKS)
def test_the_same_lock_orders(lock: Any, mode: Any) -> None:
    result = mode(program(Plain, lock, adds("first", "one", "two"), adds("first", "one", "two")))
    assert result.findings == ()


@pytest.mark.parametrize("mode", MODES[:2])
@pytest.mark.parametrize("lock", LOCKS)
def test_equal_locks_in_both_orders_are_a_deadlock(lock: Any, mode: Any) -> None:
    result = mode(program(Plain, lock, adds("first", "one", "two"), adds("first", "two", "one")))
    assert {f.rule for f in result.findings} == {"deadlock.cycle", "lock_order.inversion"}


def test_a_dataclass_has_its_fields_defaults() -> None:
    assert Record().x == 0
    assert Record(3).x == 3
    assert Record(1) == Record(1)


def test_a_dataclass_field_is_seen() -> None:
    def reads(s: Any) -> int:
        return int(s.first.x)

    assert verify(program(Record, rb.Lock, adds("first"), reads)).executions == 2


def test_a_lock_is_not_compared_with_a_store_buffer() -> None:
    class Late(rb.State):
        x = rb.shared(0, delayed=True)

        def __init__(self) -> None:
            self.lock = RaisingLock("late")

    def stores(s: Any) -> None:
        with s.lock:
            s.x = s.x + 1

    check = lambda s, r: None if s.x == 2 else rb.broken("x.lost", f"{s.x}")  # noqa: E731
    assert verify(rb.Program("late", Late, {"a": stores, "b": stores}, check=check)).findings == ()
