"""Which executions count as one, written down by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search import classes
from racebench.engine.search.classes import Classes, class_of
from racebench.engine.search.matter import Matter
from racebench.engine.strategies import STRATEGIES
from racebench.primitives import ops

from ..random_programs import interrupted_program, random_program
from .written import log

SAME = [
    (("a write x", "b write y"), ("b write y", "a write x")),
    (("a read x", "b read x", "c write x"), ("b read x", "a read x", "c write x")),
    (
        ("a write y", "a read x", "b read x", "c write x"),
        ("a write y", "b read x", "a read x", "c write x"),
    ),
    (("a take L", "a free L", "b write y"), ("a take L", "b write y", "a free L")),
]
OTHER = [
    (("a write x", "b write x"), ("b write x", "a write x")),
    (("a read x", "b write x"), ("b write x", "a read x")),
    (("a take L", "a free L", "b take L", "b free L"), ("b take L", "b free L", "a take L", "a free L")),
    (("a read x", "a write x", "b read x"), ("a read x", "b read x", "a write x")),
    (("a write x",), ("a write x", "b write x")),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_steps_that_commute_make_no_other_class(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert class_of(log(*one), 3) == class_of(log(*other), 3)


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_steps_that_do_not_commute_do(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert class_of(log(*one), 3) != class_of(log(*other), 3)


def test_a_wait_lets_go_of_its_lock_as_well() -> None:
    """Whether b takes the lock before or after a waits is another class."""
    lock = SimpleNamespace(_rb_id="L")
    condition = SimpleNamespace(_rb_id="C", lock=lock)
    a, b = SimpleNamespace(index=0), SimpleNamespace(index=1)
    wait, take = (a, ops.WAIT, condition), (b, ops.TRY_ACQUIRE, lock)
    assert class_of([wait, take], 2) != class_of([take, wait], 2)


def test_a_class_is_new_once() -> None:
    seen = Classes(range(2))
    assert [seen.new(log(*steps)) for steps in (*SAME[0], *OTHER[0])] == [True, False, True, True]
    assert len(seen) == 3


def test_beyond_the_most_that_are_remembered_each_counts_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MOST", 1)
    seen = Classes(range(2))
    assert [seen.new(log(*OTHER[0][n])) for n in (0, 1, 1, 0)] == [True, True, True, False]
    assert len(seen) == 1


class Pair(rb.State):
    x = rb.shared(0)
    y = rb.shared(0, delayed=True)

    def __init__(self) -> None:
        self.lock = rb.Lock("pair")
        self.changed = rb.Condition(self.lock)


def count(s: Pair) -> None:
    s.y = 1
    with s.lock:
        s.x += 1
        s.changed.notify_all()


def wait(s: Pair) -> None:
    with s.lock:
        s.changed.wait_for(lambda: s.x == 2)


def watch(s: Pair) -> None:
    rb.wait_until(lambda: s.x and s.y)


def look(s: Pair) -> int:
    return s.x + s.y


@pytest.mark.parametrize("strategy", ["pct", "random"])
@pytest.mark.parametrize("third", [wait, watch, look])
def test_a_repeated_execution_is_of_the_class_that_its_steps_say(strategy: str, third: Any) -> None:
    """Whether or not it is asked, as it is less and less where none is repeated."""
    threads = {"a": count, "b": count, "c": third}
    program = rb.Program("pair", Pair, threads, interrupts={"i": ("a", look)})
    known: set[int] = set()
    with Scheduler(program) as scheduler:
        chooser = STRATEGIES[strategy](3, len(scheduler.tasks))
        seen = Classes(scheduler.tasks)
        for _ in range(400):
            outcome = scheduler.run(chooser)
            found = class_of(outcome.log, len(scheduler.tasks))
            assert seen.new(outcome.log, whole=not outcome.faults) is (found not in known)
            known.add(found)
            chooser.end(outcome.log, False)
    assert len(seen) == len(known) > 1


@pytest.mark.parametrize("strategy", ["pct", "random"])
@pytest.mark.parametrize("kind", [random_program, interrupted_program])
def test_steps_that_do_not_matter_make_no_class(strategy: str, kind: Any) -> None:
    """Programs of all kinds, held against the definition."""
    repeated = 0
    for seed in range(60):
        program = kind(seed, True, set())
        known: set[int] = set()
        with Scheduler(program, looks=False) as scheduler:
            chooser = STRATEGIES[strategy](seed, len(scheduler.tasks))
            seen = Classes(scheduler.tasks)
            for _ in range(60):
                outcome = scheduler.run(chooser)
                found = class_of(outcome.log, len(scheduler.tasks))
                assert seen.new(outcome.log, whole=not outcome.faults) is (found not in known), seed
                repeated += found in known
                known.add(found)
                chooser.end(outcome.log, False)
    assert repeated > 1_000


def test_what_only_one_thread_touches_is_not_told_apart() -> None:
    matter = Matter()
    first = log("a write x", "b write y", "a read z", "b read z")
    assert not matter.learn(first)
    assert matter.of(first) == matter.of(log("b write y", "b read z", "a write x", "a read z"))


def test_a_first_use_by_another_thread_has_it_matter_from_there_on() -> None:
    matter = Matter()
    first, other = log("a write x", "b write y"), log("a write x", "b write y", "b read x")
    matter.learn(first)
    assert matter.of(other) != matter.of(first)
    assert matter.learn(other)
    assert matter.of(other) != matter.of(log("b write y", "b read x", "a write x"))
    # What nobody changes still does not matter, however many read it.
    assert not matter.learn(log("a write x", "b write y", "b read x", "a read z", "b read z"))
    assert matter.of(log("a read z", "b read z")) == matter.of([])


def test_what_was_compared_before_a_step_mattered_is_not_believed_any_more() -> None:
    seen = Classes(range(2))
    made = [("a write x", "b write y"), ("a write x", "b write y", "b read x"), ("b write y",)]
    assert [seen.new(log(*steps), whole=True) for steps in made] == [True, True, True]


def test_what_a_predicate_looks_at_matters() -> None:
    def writes(s: Pair) -> None:
        s.x = 1
        s.x = 2

    def waits(s: Pair) -> None:
        rb.wait_until(lambda: s.x)

    program = rb.Program("pair", Pair, {"a": writes, "b": waits})
    with Scheduler(program) as scheduler:
        chooser = STRATEGIES["random"](0, 2)
        seen = Classes(scheduler.tasks)
        for _ in range(60):
            seen.new(scheduler.run(chooser).log, whole=True)
    assert len(seen) == 2
