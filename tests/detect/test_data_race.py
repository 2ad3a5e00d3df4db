"""Data races: what orders two accesses, and what does not."""

from __future__ import annotations

import pytest

from racebench.detect import data_race

from .traces import Trace


def races(*lines: str) -> list[str]:
    return [alarm.signature for alarm in data_race.detect(Trace(*lines).execution)]


RACE = ["data_race: p.desc"]


@pytest.mark.parametrize(
    "lines",
    [
        ("a write p[40].desc", "b read p[40].desc"),
        ("a read p[40].desc", "b write p[40].desc"),
        ("a write p[40].desc", "b write p[40].desc"),
        # Two locks are not one.
        ("a acquire x", "a write p[40].desc", "a release x", "b acquire y", "b read p[40].desc"),
        # A lock taken before says nothing of what its holder did after.
        ("a acquire x", "a release x", "a write p[40].desc", "b acquire x", "b read p[40].desc"),
        # Readers are not ordered among themselves.
        (
            *("a acquire_read rw", "a write p[40].desc", "a release_read rw"),
            *("b acquire_read rw", "b write p[40].desc"),
        ),
    ],
)
def test_nothing_orders_the_two(lines: tuple[str, ...]) -> None:
    assert races(*lines) == RACE


@pytest.mark.parametrize(
    "lines",
    [
        ("a read p[40].desc", "b read p[40].desc"),
        ("a write p[40].desc", "b write p[41].desc"),
        ("a write p[40].desc", "a read p[40].desc"),
        ("a acquire x", "a write p[40].desc", "a release x", "b acquire x", "b read p[40].desc"),
        ("a write p[40].desc~", "b read p[40].desc~"),
        # Published through an atomic field.
        ("a write p[40].desc", "a write p[40].flag~", "b read p[40].flag~", "b read p[40].desc"),
        ("a write p[40].desc", "a up s", "b down s", "b write p[40].desc"),
        ("a write p[40].desc", "a write p[40].go", "b until p[40].go", "b write p[40].desc"),
        (
            *("a acquire_write rw", "a write p[40].desc", "a release_write rw"),
            *("b acquire_read rw", "b read p[40].desc", "b release_read rw"),
            *("a acquire_write rw", "a write p[40].desc"),
        ),
        # Through a third thread.
        (
            *("a acquire x", "a write p[40].desc", "a release x", "c acquire x", "c release x"),
            *("c acquire y", "c release y", "b acquire y", "b write p[40].desc"),
        ),
        # A waiter gives the condition's lock up, and has it again.
        (
            *("b acquire m", "b write p[40].desc", "b wait c:m", "a acquire m", "a write p[40].desc"),
            *("a notify c:m", "a release m", "b acquire m", "b read p[40].desc"),
        ),
    ],
)
def test_ordered_or_harmless(lines: tuple[str, ...]) -> None:
    assert races(*lines) == []


def test_a_waiter_s_wait_does_not_excuse_what_came_after_the_write() -> None:
    assert races("a write p.go", "a write p.x", "b until p.go", "b read p.x") == ["data_race: p.x"]


def test_a_trylock_that_failed_orders_nothing() -> None:
    lines = ["a acquire x", "b try_acquire x", "a write p.f", "a release x", "b read p.f"]
    assert races(*lines) == ["data_race: p.f"]


def test_the_lock_that_was_missing_is_named() -> None:
    lines = ["a acquire rank[1]", "a write p[40].desc", "a release rank[1]", "b read p[40].desc"]
    [alarm] = data_race.detect(Trace(*lines).execution)
    assert alarm.evidence["lock"] == "rank[1], taken by b too"
    assert [access["held"] for access in alarm.evidence["accesses"]] == [["rank[1]"], []]
    lines = ["a acquire m", "a write p.f", "a release m", "a write p.f", "b read p.f"]
    [alarm] = data_race.detect(Trace(*lines).execution)
    assert alarm.evidence["lock"] == "m, which other accesses to it hold"
    [alarm] = data_race.detect(Trace("a write p.f", "b read p.f").execution)
    assert (
        "a writes it holding no lock, and b reads it holding no lock: neither holds a lock" in alarm.message
    )


def test_locks_that_are_held_but_not_in_common_are_named() -> None:
    lines = ["a acquire m", "a write p.f", "b acquire n", "b read p.f"]
    [alarm] = data_race.detect(Trace(*lines).execution)
    assert alarm.message == (
        "p.f: a writes it holding m, and b reads it holding n: no lock is held by both, and nothing orders "
        "the two. What would: m (as a) or n (as b) for both"
    )
    lines = ["a acquire_read rw", "b acquire_read rw", "a write p.f", "b read p.f"]
    [alarm] = data_race.detect(Trace(*lines).execution)
    assert "both hold rw, but not exclusively" in alarm.message


def test_one_alarm_a_field() -> None:
    lines = ["a write p.f", "b read p.f", "b write p.f", "a read p.f", "b write p.g", "a read p.g"]
    assert races(*lines) == ["data_race: p.f", "data_race: p.g"]


# -- fields that are atomic and delayed


@pytest.mark.parametrize(
    "lines",
    [
        # Message passing: the data is out, by a fence, before the flag is stored.
        (
            *("a store p.desc", "a drain p.desc", "a fence a", "a store p.go~", "a drain p.go~"),
            *("b read p.go~", "b read p.desc"),
        ),
        ("a write p.desc", "a store p.go~", "a drain p.go~", "b until p.go~", "b read p.desc"),
        # Two writers of the flag alone.
        ("a store p.go~", "b store p.go~", "b drain p.go~", "a drain p.go~", "b read p.go~"),
    ],
    ids=["fenced", "not delayed", "the flag alone"],
)
def test_an_atomic_delayed_field_orders(lines: tuple[str, ...]) -> None:
    assert races(*lines) == []


@pytest.mark.parametrize(
    "lines",
    [
        # No fence: the data may be out before the flag, by chance.
        (
            *("a store p.desc", "a drain p.desc", "a store p.go~", "a drain p.go~"),
            *("b read p.go~", "b read p.desc"),
        ),
        # What comes after the store is not told by it.
        ("a store p.go~", "a write p.desc", "a drain p.go~", "b read p.go~", "b read p.desc"),
        # Who reads too early learns nothing.
        ("a write p.desc", "a store p.go~", "b read p.go~", "a drain p.go~", "b read p.desc"),
        # Nor does who reads a store of its own.
        (
            *("a write p.desc", "a store p.go~", "b store p.go~", "a drain p.go~"),
            *("b read p.go~", "b read p.desc"),
        ),
        (
            *("a write p.desc", "a store p.go~", "b store p.go~", "a drain p.go~"),
            *("b until p.go~", "b read p.desc"),
        ),
        # Two fences order nothing between threads.
        ("a write p.desc", "a fence a", "b fence b", "b read p.desc"),
    ],
    ids=["no fence", "after the store", "too early", "its own", "its own, waited for", "two fences"],
)
def test_and_only_what_was_seen_and_out(lines: tuple[str, ...]) -> None:
    assert races(*lines) == ["data_race: p.desc"]


# -- what takes nothing and orders nothing


@pytest.mark.parametrize(
    "lines",
    [
        ("a write p.desc", "a request_write rw!", "b request_read rw!", "b read p.desc"),
        ("a write p.desc", "a wake c:m", "b wake c:m", "b read p.desc"),
        ("a write p.desc", "a up sem0", "c down sem0", "b try_down sem0", "b read p.desc"),
    ],
    ids=["requests", "waking unasked", "a semaphore at zero"],
)
def test_it_orders_nothing(lines: tuple[str, ...]) -> None:
    assert races(*lines) == ["data_race: p.desc"]


def test_a_semaphore_that_was_got_by_a_try_orders() -> None:
    assert races("a write p.desc", "a up sem0", "b try_down sem0", "b read p.desc") == []


@pytest.mark.parametrize(
    "between",
    [
        ("a set ev", "b pass ev"),
        ("a set ev", "b look ev"),
        ("a arrive bar", "b arrive bar"),
        ("b arrive bar", "a arrive bar", "b leave bar"),
        ("a up2 sem0", "c down sem0", "b try_down sem0"),
        ("a update at.value~", "b read at.value~"),
        ("a write at.value~", "c update at.value~", "b update at.value~"),
    ],
    ids=["event", "a look at it", "last at a barrier", "barrier", "two in one", "atomic", "atomic, updated"],
)
def test_what_else_hands_over(between: tuple[str, ...]) -> None:
    assert races("a write p.desc", *between, "b read p.desc") == []


@pytest.mark.parametrize(
    "between",
    [
        ("b await ev", "a set ev", "b timeout ev"),
        ("a up sem1<", "c down sem1<", "b try_down sem1<"),
        ("a read at.value~", "b update at.value~"),
    ],
    ids=["a timeout", "a release too many", "an atomic value that is only read"],
)
def test_what_else_does_not(between: tuple[str, ...]) -> None:
    assert races("a write p.desc", *between, "b read p.desc") == ["data_race: p.desc"]
