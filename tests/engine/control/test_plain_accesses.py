"""What changes without a step, and is used by two threads with no lock in common."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

import racebench as rb

COUNT = 0


class Account(rb.State):
    touched = rb.shared(0)
    turn = rb.shared(0, atomic=True)
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
    with s.lock:
        s.balance += 1


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
    "mode",
    [rb.verify, lambda p: rb.explore(p, executions=10), lambda p: rb.stress(p, seconds=0.05)],
    ids=["verify", "explore", "stress"],
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
    assert "control/test_plain_accesses.py:" in said


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
    assert not result.stats["unseen"]


class Notes:
    def __init__(self) -> None:
        self.n = 0


def noting(notes: Notes) -> Any:
    def run(s: Account) -> None:
        s.lock.locked()
        notes.n += 1

    return run


@MODES
def test_objects_that_one_thread_each_can_reach_are_its_own(mode: Any) -> None:
    result = mode(rb.Program("notes", Account, {"a": noting(Notes()), "b": noting(Notes())}))
    assert (result.verdict, result.stats["unseen"]) == (rb.Verdict.CLEAN, ())
    notes = Notes()
    result = mode(rb.Program("notes", Account, {"a": noting(notes), "b": noting(notes)}))
    assert "Notes.n, a plain attribute" in result.stats["unseen"][0]


def test_the_orders_of_a_lock_are_those_of_what_it_guards() -> None:
    check = lambda s, r: None if s.balance == 2 else rb.broken("account.lost", "lost")  # noqa: E731
    program = rb.Program("account", Account, {"a": in_two_sections, "b": in_two_sections}, check=check)
    result = rb.verify(program)
    assert result.complete
    assert [f.rule for f in result.findings] == ["account.lost"]


class Inner(rb.State):
    def __init__(self) -> None:
        self.n = 0


class Outer(rb.State):
    x = rb.shared(0, atomic=True)
    inner = rb.shared(None, atomic=True)
    many = rb.shared([], atomic=True)
    tries = 0

    def __init__(self) -> None:
        self.lock = rb.RWLock("rw")
        self.inner, self.ids, self.table = Inner(), itertools.count(), {"n": 0}
        self.buffer = bytearray()
        self.many.append(Inner())
        Outer.tries = 0


def behind_a_field(s: Outer) -> None:
    s.inner.n += 1


def behind_a_list(s: Outer) -> None:
    s.many[0].n += 1


def draws(s: Outer) -> int:
    s.x += 1
    return next(s.ids)


def fills(s: Outer) -> None:
    s.x += 1
    s.buffer.append(1)


def under_a_read_lock(s: Outer) -> None:
    with s.lock.read():
        s.table["n"] += 1


def a_buffer_under_a_read_lock(s: Outer) -> None:
    with s.lock.read():
        s.buffer.append(1)


def of_the_class(s: Outer) -> None:
    s.x += 1
    Outer.tries += 1


def by_another_name(s: Outer) -> None:
    s.x += 1
    vars(s.inner)["n"] += 1


def by_a_helper(s: Outer) -> None:
    s.x += 1
    _count()


def _count() -> None:
    TALLY[0] += 1


TALLY = [0]


@pytest.mark.parametrize(
    ("uses", "what"),
    [
        (behind_a_field, "Inner.n"),
        (behind_a_list, "Inner.n"),
        (draws, "Outer.ids"),
        (fills, "Outer.buffer"),
        (under_a_read_lock, "Outer.table"),
        (a_buffer_under_a_read_lock, "Outer.buffer"),
        (of_the_class, "Outer.tries, a class attribute"),
        (by_another_name, "Inner.n"),
        (by_a_helper, "the global TALLY"),
    ],
)
def test_wherever_it_lies_it_is_named(uses: Any, what: str) -> None:
    result = rb.verify(rb.Program("outer", Outer, {"a": uses, "b": uses}))
    assert not result.complete
    assert any(what in sentence for sentence in result.stats["unseen"]), result.stats["unseen"]


def test_a_program_that_does_not_do_the_same_twice_has_no_proof() -> None:
    turns = itertools.count()

    def fickle(s: Outer) -> int:
        s.x = 1
        return next(turns)

    result = rb.verify(rb.Program("fickle", Outer, {"a": fickle}))
    assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
    assert "twice" in " ".join(result.stats["unseen"])


def only_before(s: Account) -> None:
    if not s.turn:
        s.log.append(1)


def touches(s: Account) -> None:
    s.turn = 1


def only_after(s: Account) -> None:
    if s.turn:
        s.log.append(1)


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_who_changes_it_in_one_order_only_is_seen_and_may_be_one_alone(names: str) -> None:
    """Of two threads one comes first in the executions that are looked at; each is to be either."""
    alone, other = names
    result = rb.verify(rb.Program("account", Account, {alone: only_before, other: touches}))
    assert (result.verdict, result.stats["unseen"]) == (rb.Verdict.CLEAN, ())
    result = rb.verify(rb.Program("account", Account, {alone: only_after, other: touches}))
    assert (result.verdict, result.stats["unseen"]) == (rb.Verdict.CLEAN, ())


def touches_and_logs(s: Account) -> None:
    s.turn = 1
    s.log.append(2)


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_what_two_use_in_one_order_only_is_named(names: str) -> None:
    one, other = names
    program = rb.Program("account", Account, {one: only_before, other: touches_and_logs})
    [said] = rb.verify(program).stats["unseen"]
    assert "only_before" in said and "touches_and_logs" in said
