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


# -- fair read-write locks: readers wait behind writers


def reading(thread: str, outer: str, inner: str) -> list[str]:
    takes = [f"{thread} acquire_read {outer}", f"{thread} acquire_read {inner}"]
    return [*takes, f"{thread} release_read {inner}", f"{thread} release_read {outer}"]


def writing(thread: str, lock: str, *held: str) -> list[str]:
    takes, gives = [f"{thread} acquire {h}" for h in held], [f"{thread} release {h}" for h in held]
    return [*takes, f"{thread} acquire_write {lock}", f"{thread} release_write {lock}", *gives]


BOTH = [*reading("a", "x!", "y!"), *reading("b", "y!", "x!")]


def test_readers_in_both_orders_need_a_writer_at_each_of_two_fair_locks() -> None:
    [alarm] = lock_order.detect(Trace(*BOTH, *writing("v", "x!"), *writing("w", "y!")).execution)
    assert alarm.signature == "lock_order.inversion: x! -> y! -> x!"
    assert [e["thread"] for e in alarm.evidence["ring"]] == ["a", "w", "b", "v"]
    assert "w, waiting to write y!, holds a back" in alarm.message


@pytest.mark.parametrize(
    "lines",
    [
        [],
        writing("w", "x!"),
        # One writer cannot wait at both.
        [*writing("w", "x!"), *writing("w", "y!")],
        # A writer that is of the ring cannot wait elsewhere too.
        [*writing("a", "y!"), *writing("v", "x!")],
    ],
    ids=["no writer", "one lock", "one writer", "its own"],
)
def test_readers_in_both_orders_are_none_else(lines: list[str]) -> None:
    assert signatures(Trace(*BOTH, *lines).execution) == []


def test_unfair_locks_hold_no_reader_back() -> None:
    both = [*reading("a", "x", "y"), *reading("b", "y", "x")]
    assert signatures(Trace(*both, *writing("v", "x"), *writing("w", "y")).execution) == []


def test_a_writer_that_still_waits_counts() -> None:
    lines = [*writing("v", "x!"), "w request_write y!"]
    assert signatures(Trace(*BOTH, *lines).execution) == ["x! -> y! -> x!"]
    lines = [*writing("v", "x!"), "blocked w acquire_write y!"]
    assert signatures(Trace(*BOTH, *lines).execution) == ["x! -> y! -> x!"]


def test_a_reader_behind_a_writer_and_a_mutex() -> None:
    mixed = ["a acquire_read rw!", "a acquire m", "a release m", "a release_read rw!"]
    mixed += ["b acquire m", "b acquire_read rw!", "b release_read rw!", "b release m"]
    assert signatures(Trace(*mixed, *writing("w", "rw!")).execution) == ["m -> rw! -> m"]
    # Both have g for it, so whoever needs g to write cannot be waiting then.
    gated = [f"{line[0]} acquire g" for line in mixed[:1]] + mixed[:4] + ["a release g"] + mixed[4:]
    assert signatures(Trace(*gated, *writing("w", "rw!", "g")).execution) == []


def test_a_reader_that_comes_again() -> None:
    again = reading("a", "rw!", "rw!")
    [alarm] = lock_order.detect(Trace(*again, *writing("w", "rw!")).execution)
    assert alarm.signature == "lock_order.inversion: rw! -> rw!"
    assert [e["thread"] for e in alarm.evidence["ring"]] == ["a", "w"]
    assert signatures(Trace(*again, *writing("a", "rw!")).execution) == []
    assert signatures(Trace(*reading("a", "rw", "rw"), *writing("w", "rw")).execution) == []
    gate = ["a acquire gate", *again, "a release gate"]
    assert signatures(Trace(*gate, *writing("w", "rw!", "gate")).execution) == []


# -- hand-overs: one order is over before the other begins


def order(thread: str, *locks: str) -> list[str]:
    return [f"{thread} acquire {x}" for x in locks] + [f"{thread} release {x}" for x in reversed(locks)]


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        (["a up sem0"], ["b down sem0"]),
        (["a up sem0"], ["b try_down sem0"]),
        (["a up sem0", "a up sem0"], ["b down sem0"]),
        (["a write s.go"], ["b until s.go"]),
        (["a store s.go", "a drain s.go"], ["b until s.go"]),
        (["a acquire m", "a notify c:m", "a release m"], ["b acquire m", "b release m"]),
        (["a up2 sem0"], ["c down sem0", "b down sem0"]),
        (["a set ev"], ["b await ev", "b pass ev"]),
        (["a arrive bar"], ["b arrive bar", "b leave bar"]),
        (["c arrive bar", "b arrive bar", "c leave bar", "a arrive bar"], ["b arrive bar", "b leave bar"]),
        (["a arrive bar", "c timeout ev"], ["b arrive bar", "b leave bar"]),
    ],
    ids=[
        *("semaphore", "tried", "more than needed", "predicate", "late store", "condition", "two in one"),
        *("event", "barrier", "barrier used again", "barrier, and a timeout of something else"),
    ],
)
def test_a_hand_over_keeps_two_orders_apart(sent: list[str], heard: list[str]) -> None:
    before = [*order("a", "x", "y"), *sent, *heard, *order("b", "y", "x")]
    assert signatures(Trace(*before).execution) == []
    # Told first, it keeps nothing apart.
    after = [*sent, *order("a", "x", "y"), *heard, *order("b", "y", "x")]
    assert signatures(Trace(*after).execution) == ["x -> y -> x"]


@pytest.mark.parametrize(
    "between",
    [
        [],
        ["a up sem1", "b down sem1"],
        ["a up sem0", "c up sem0", "b down sem0"],
        ["a up sem0", "c down sem0", "b try_down sem0"],
        ["a write s.f", "b read s.f"],
        ["a acquire m", "a release m", "b acquire m", "b release m"],
        ["a up sem1<", "b down sem1<"],
        ["a set ev", "c set ev", "b pass ev"],
        ["a set ev", "b await ev", "b timeout ev"],
        ["a arrive bar", "c abort bar", "b leave bar"],
        ["a arrive bar", "c timeout bar", "b leave bar"],
        ["a arrive bar", "b timeout bar"],
        ["c arrive bar", "b arrive bar", "b leave bar", "a arrive bar"],
    ],
    ids=[
        *("nothing", "one was left", "another raised it too", "a try that failed", "a plain read", "a mutex"),
        *("a release too many", "another set it too", "an event that did not come", "a barrier aborted"),
        *("a barrier that timed out", "too late for a barrier", "a barrier used before"),
    ],
)
def test_chance_does_not(between: list[str]) -> None:
    lines = [*order("a", "x", "y"), *between, *order("b", "y", "x")]
    assert signatures(Trace(*lines).execution) == ["x -> y -> x"]


def test_a_later_meeting_counts_though_the_first_was_kept_apart() -> None:
    lines = [*order("a", "x", "y"), "a up sem0", "b down sem0", *order("b", "y", "x"), *order("a", "x", "y")]
    assert signatures(Trace(*lines).execution) == ["x -> y -> x"]


def test_a_lock_that_a_thread_made_stands_for_itself_until_it_is_known() -> None:
    fresh = order("a", "node@a#1", "table")
    known = ["a write s.ref", "b read s.ref"]
    assert signatures(Trace(*fresh, *known, *order("b", "table", "node@a#1")).execution) == []
    assert signatures(Trace(*fresh, *order("b", "table", "node@b#1")).execution) == []
    assert signatures(Trace(*known, *fresh, *order("b", "table", "node@a#1")).execution) == [
        "node -> table -> node"
    ]
