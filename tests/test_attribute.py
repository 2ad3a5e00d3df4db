"""An object without a name is called after the attribute that holds it, in all modes, and again in replay."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import racebench as rb


class Derived(rb.Lock):
    """A lock of the program's own."""

    def __init__(self, note: str) -> None:
        super().__init__()
        self.note = note


def helper() -> rb.Lock:
    return rb.Lock()


class Kinds:
    def __init__(self, given: Any = None) -> None:
        self.lock_of_mine = rb.Lock()
        self.again = rb.RLock()
        self.changed = rb.Condition()
        self.slots, self.most = rb.Semaphore(3), rb.BoundedSemaphore(value=2)
        self.number, self.ready, self.meeting, self.table = 2, rb.Event(), rb.Barrier(2), rb.RWLock()
        self.count = also = rb.Atomic(1)
        same = self.same = rb.Lock()
        self.either = given or rb.Lock()
        self.chosen = rb.Lock() if given is None else given
        self.derived = Derived("of the program's own")
        self.helped = helper()
        self.over_another = rb.Condition(rb.Lock())
        assert also is self.count and same is self.same

    names = (
        *("lock_of_mine", "again", "changed", "slots", "most", "ready", "meeting", "table", "count"),
        *("same", "either", "chosen", "derived", "helped", "over_another"),
    )


@pytest.mark.parametrize("name", Kinds.names)
def test_each_way_to_make_one_names_it(name: str) -> None:
    assert getattr(Kinds(), name).name == name


def test_what_no_attribute_gets_is_called_by_its_kind() -> None:
    kinds, alone = Kinds(), rb.Lock()
    kinds.late = alone  # type: ignore[attr-defined]
    kinds.several = [rb.Lock()]  # type: ignore[attr-defined]
    assert [alone.name, kinds.several[0].name, kinds.over_another.lock.name] == ["lock"] * 3  # type: ignore[attr-defined]
    assert kinds.changed.lock.name == "changed.lock"


@dataclass
class Given:
    left: Any = field(default_factory=rb.Lock)
    right: Any = field(default_factory=lambda: rb.Lock())


def test_a_field_of_a_dataclass_is_an_attribute() -> None:
    assert (Given().left.name, Given().right.name) == ("left", "right")


class Pair:
    """Plain code; ``named`` is what a program calls by a name of its own, as late as that may be."""

    def __init__(self) -> None:
        self.left, self.right = threading.Lock(), threading.Lock()
        self.jobs: queue.Queue[int] = queue.Queue()
        self.inner = Given(threading.Lock(), threading.Lock())
        self.inner.left = threading.Lock()
        self.named, self.named_too = rb.Lock("left"), rb.Lock("left")

    def forth(self) -> None:
        with self.left, self.right:
            pass

    def back(self) -> None:
        with self.right, self.left:
            pass

    def one_after_the_other(self) -> None:
        with self.left:
            pass
        with self.right:
            pass

    def makes(self) -> str:
        self.mine = threading.Lock()
        with self.mine:
            return str(self.mine.name)  # type: ignore[attr-defined]


def names(s: Pair) -> tuple[str, ...]:
    locks: Any = (s.left, s.right, s.inner.left, s.jobs.mutex, s.jobs.not_empty, s.named, s.named_too)
    return tuple(lock.name for lock in locks)


def seen_in(run: Callable[..., rb.Result], **how: Any) -> set[tuple[str, ...]]:
    seen: set[tuple[str, ...]] = set()

    def keep(s: Pair, results: dict[str, Any]) -> None:
        seen.add((*names(s), results["makes"]))

    threads = {"makes": Pair.makes, "a": Pair.one_after_the_other, "b": Pair.one_after_the_other}
    assert run(rb.Program("pair", Pair, threads, check=keep), **how).findings == ()
    return seen


@pytest.mark.parametrize("run", [rb.verify, rb.explore])
def test_each_execution_has_the_same_names_and_no_two_the_same(run: Callable[..., rb.Result]) -> None:
    """Who was given a name has it to itself, though another had come before."""
    how = {"executions": 20} if run is rb.explore else {}
    [found] = seen_in(run, **how)
    assert found == ("left#3", "right", "left#4", "mutex", "not_empty", "left", "left#2", "mine@makes#1")


def test_stress_calls_them_so_too() -> None:
    assert {found[:2] for found in seen_in(rb.stress, seconds=0.02)} <= {
        ("left", "right"),
        ("left#3", "right"),
    }


def test_a_finding_tells_them_and_is_shown_again() -> None:
    program = rb.Program("pair", Pair, {"a": Pair.forth, "b": Pair.back})
    result = rb.verify(program)
    [ring] = [finding for finding in result.findings if finding.rule == "deadlock.cycle"]
    assert "wants right (" in ring.summary and "wants left#3 (" in ring.summary
    assert ring.signature.count("left") == 1 and ring.signature.count("right") == 1
    again = rb.replay(program, ring.schedule)
    assert ring.signature in {finding.signature for finding in again.findings}


def test_stress_sees_that_two_without_a_name_are_taken_in_both_orders() -> None:
    program = rb.Program("pair", Pair, {"a": Pair.forth, "b": Pair.back})
    found = rb.stress(program, seconds=0.05).findings
    assert "lock_order.inversion: left -> right -> left" in {finding.signature for finding in found}


@dataclass
class Named:
    left: Any = field(default_factory=lambda: rb.Lock("left"))
    right: Any = field(default_factory=lambda: rb.Lock("right"))


def forth(pairs: tuple[Any, Any]) -> None:
    with pairs[0].left, pairs[0].right:
        pass


def back_with_others(pairs: tuple[Any, Any]) -> None:
    with pairs[1].right, pairs[1].left:
        pass


@pytest.mark.parametrize(("cls", "found"), [(Named, {"lock_order.inversion"}), (Given, set())])
def test_of_one_kind_are_those_that_were_given_one_name(cls: Any, found: set[str]) -> None:
    """Two pairs, each of which is taken in one order: that is an inversion only of kinds."""
    program = rb.Program("pairs", lambda: (cls(), cls()), {"a": forth, "b": back_with_others})
    assert {finding.rule for finding in rb.verify(program).findings} == found
