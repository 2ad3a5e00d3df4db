"""What changes without a step, and is used by two threads with no lock in common."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb

COUNT = 0


class Account(rb.State):
    touched = rb.shared(0)
    entries = rb.shared([])

    def __init__(self) -> None:
        self.lock = rb.Lock("lock")
        self.balance = 0
        self.own: dict[str, int] = {}
        self.log: list[int] = []


class Plain:
    def __init__(self) -> None:
        self.lock = rb.Lock("lock")
        self.n = 0


def deposits(s: Account) -> None:
    s.lock.locked()
    s.balance += 1


def logs(s: Account) -> None:
    s.lock.locked()
    s.log.append(1)


def counts(s: Account) -> None:
    global COUNT
    s.lock.locked()
    COUNT += 1


def adds(s: Plain) -> None:
    s.lock.locked()
    s.n += 1


def reads(s: Account) -> int:
    s.lock.locked()
    return s.balance


def under_the_lock(s: Account) -> None:
    with s.lock: s.balance += 1  # noqa: E701


def in_two_sections(s: Account) -> None:
    with s.lock:
        before = s.balance
    with s.lock:
        s.balance = before + 1


def keeps(s: Account) -> None:
    with s.lock:
        pass
    s.balance += 1


def looks(s: Account) -> None:
    with s.lock:
        pass


def declared(s: Account) -> None:
    with s.lock:
        s.touched += 1
        s.entries.append(1)


def closing() -> Any:
    box = [0]

    def writes(s: Account) -> None:
        s.lock.locked()
        box[0] += 1

    return writes


MODES = pytest.mark.parametrize(
    "mode", [rb.verify, lambda p: rb.explore(p, executions=10)], ids=["verify", "explore"]
)


@MODES
@pytest.mark.parametrize(
    ("a", "b", "what"),
    [
        (deposits, deposits, "Account.balance, a plain attribute, is written by"),
        (reads, deposits, "Account.balance, a plain attribute, is written by b in deposits"),
        (logs, logs, "Account.log, a plain attribute, is used by"),
        (counts, counts, "the global COUNT, is written by"),
        ((writes := closing()), writes, "box, a variable around closing"),
    ],
    ids=["both write", "one reads", "list", "global", "closure"],
)
def test_what_two_threads_use_unseen_is_named(a: Any, b: Any, what: str, mode: Any) -> None:
    result = mode(rb.Program("account", Account, {"a": a, "b": b}))
    assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
    [said] = result.stats["unseen"]
    assert what in said
    assert "engine/test_plain.py:" in said


@MODES
def test_a_state_of_the_users_own_class_is_looked_at_too(mode: Any) -> None:
    result = mode(rb.Program("plain", Plain, {"a": adds, "b": adds}))
    assert "Plain.n, a plain attribute" in result.stats["unseen"][0]


@MODES
@pytest.mark.parametrize(
    ("a", "b"),
    [(under_the_lock, under_the_lock), (keeps, looks), (declared, declared)],
    ids=["one lock", "one thread", "declared"],
)
def test_what_schedules_are_about_anyway_is_no_doubt(a: Any, b: Any, mode: Any) -> None:
    result = mode(rb.Program("account", Account, {"a": a, "b": b}))
    assert result.verdict is rb.Verdict.CLEAN
    assert "unseen" not in result.stats


def test_the_orders_of_a_lock_are_those_of_what_it_guards() -> None:
    check = lambda s, r: None if s.balance == 2 else rb.broken("account.lost", "lost")  # noqa: E731
    program = rb.Program("account", Account, {"a": in_two_sections, "b": in_two_sections}, check=check)
    result = rb.verify(program)
    assert result.complete
    assert [f.rule for f in result.findings] == ["account.lost"]
