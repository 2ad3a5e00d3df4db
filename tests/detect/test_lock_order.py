"""Inversions: rings of classes, gates, trylocks, instances; each with what is none."""

from __future__ import annotations

import pytest

from racebench.detect import lock_order
from racebench.trace import Execution

from .traces import Trace, nested


def signatures(execution: Execution) -> list[str]:
    return [
        a.signature.removeprefix("lock_order.inversion: ")
        for a in lock_order.detect(execution)
        if not a.guarded
    ]


def test_two_orders_are_an_inversion() -> None:
    [alarm] = lock_order.detect(nested("vcpu0: rank[1] > desc[64]", "tool: desc[64] > rank[1]"))
    assert alarm.signature == "lock_order.inversion: desc -> rank -> desc"
    assert [e["thread"] for e in alarm.evidence["ring"]] == ["tool", "vcpu0"]
    assert alarm.evidence["instances"] == "the same locks"
    assert alarm.steps == (0, 1, 4, 5)


def test_three_locks_in_a_ring_are_one_alarm() -> None:
    execution = nested("vcpu0: rank > desc", "tool: desc > dom", "vcpu1: dom > rank")
    assert signatures(execution) == ["desc -> dom -> rank -> desc"]


@pytest.mark.parametrize(
    "threads",
    [
        ("a: x > y", "b: x > y"),
        ("a: x > y", "a: y > x"),
        ("a: x > y", "b: y > z"),
        ("a: x", "b: y"),
        # One thread makes two of the three edges: it cannot wait twice.
        ("a: x > y", "a: y > z", "b: z > x"),
    ],
    ids=["one order", "one thread", "no ring", "not nested", "two edges of one thread"],
)
def test_no_inversion(threads: tuple[str, ...]) -> None:
    assert signatures(nested(*threads)) == []


def test_a_common_lock_guards() -> None:
    [alarm] = lock_order.detect(nested("a: gate > x > y", "b: gate > y > x"))
    assert alarm.guarded
    assert alarm.evidence["guarded_by"] == ["gate"]
    assert "gate is held for each" in alarm.message


def test_what_was_released_is_not_held() -> None:
    lines = ["a acquire x", "a acquire y", "a release x", "a acquire z", "a release z", "a release y"]
    back = ["b acquire z", "b acquire x", "b release x", "b release z"]
    assert signatures(Trace(*lines, *back).execution) == []


def test_a_trylock_is_never_waited_for_but_held() -> None:
    tried = ["a acquire x", "a try_acquire y", "a release y", "a release x"]
    assert signatures(Trace(*tried, "b acquire y", "b acquire x").execution) == []
    held = ["a try_acquire x", "a acquire y", "a release y", "a release x"]
    assert signatures(Trace(*held, "b acquire y", "b acquire x").execution) == ["x -> y -> x"]


def test_a_trylock_that_failed_holds_nothing() -> None:
    lines = ["b acquire x", "a try_acquire x", "a acquire y", "a release y", "b acquire y"]
    assert signatures(Trace(*lines).execution) == []


def test_two_instances_of_a_class_in_one_order_are_none() -> None:
    assert signatures(nested("a: p[1] > p[2]", "b: p[1] > p[2]")) == []
    assert signatures(nested("a: p[1] > p[2]", "b: p[3] > p[4]")) == []


def test_two_instances_of_a_class_in_both_orders_are_one() -> None:
    assert signatures(nested("a: p[1] > p[2]", "b: p[2] > p[1]")) == ["p -> p -> p"]


def test_classes_count_though_the_instances_differ() -> None:
    [alarm] = lock_order.detect(nested("a: desc[64] > rank[1]", "b: rank[1] > desc[65]"))
    assert alarm.evidence["instances"] == "other locks of the same classes"


def test_readers_do_not_wait_for_readers() -> None:
    def both(how: str) -> Execution:
        lines = ["a acquire_read rw", "a acquire x", "a release x", "a release_read rw"]
        return Trace(*lines, "b acquire x", f"b acquire_{how} rw").execution

    assert signatures(both("read")) == []
    assert signatures(both("write")) == ["rw -> x -> rw"]


def test_what_is_still_waited_for_counts() -> None:
    lines = ["a acquire x", "b acquire y", "blocked a acquire y", "blocked b acquire x"]
    assert signatures(Trace(*lines).execution) == ["x -> y -> x"]


def test_a_condition_gives_its_lock_up() -> None:
    waits = ["a acquire m", "a wait c:m", "a acquire x", "a release x"]
    assert signatures(Trace(*waits, "b acquire x", "b acquire m").execution) == []


def test_places_are_told_when_they_are_known() -> None:
    lines = ["a acquire x", "a acquire y", "a release y", "a release x", "b acquire y", "b acquire x"]
    [alarm] = lock_order.detect(Trace(*lines, sites=True).execution)
    assert "a takes y (f (x.py:1)) with x held (f (x.py:0))" in alarm.message
