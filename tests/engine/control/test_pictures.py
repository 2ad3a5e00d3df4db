"""Whatever way threads have to an object that changes without a step, the answer is unknown and names it."""

from __future__ import annotations

import os
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control import pictures

HELPERS = types.ModuleType("helpers")
sys.modules["helpers"] = HELPERS


def by_default(_box: list[int] = [0]) -> list[int]:  # noqa: B006
    return _box


def by_keyword(*, _box: list[int] = [0]) -> list[int]:  # noqa: B006
    return _box


class Hidden:
    _held: dict[int, int] = {}  # noqa: RUF012

    def _get(self) -> int:
        return Hidden._held.get(1, 0)

    def _set(self, value: int) -> None:
        Hidden._held[1] = value

    n = property(_get, _set)


class Key:
    pass


class Kept:
    n = 0


HIDDEN, KEY = Hidden(), Key()
WEAK: Any = weakref.WeakKeyDictionary()


def put(module: Any, value: int) -> None:
    module.racebench_n = value


class Shared(rb.State):
    x = rb.shared(0, atomic=True)
    held = rb.shared(None)

    def __init__(self) -> None:
        self.lock = rb.Lock("lock", 0)
        self.lock.tries = 0  # type: ignore[attr-defined]
        self.one = self.two = [0]
        self.held = [0]
        self.alias = self.held
        by_default()[0] = by_keyword()[0] = 0
        HIDDEN.n = WEAK[KEY] = Kept.n = rb.Lock.racebench_n = 0  # type: ignore[attr-defined]
        HELPERS.n = 0  # type: ignore[attr-defined]
        os.racebench_n = sys.racebench_n = 0  # type: ignore[attr-defined]
        os.environ["RACEBENCH_N"] = "0"


def set_n(s: Any, n: int) -> None:
    sys.modules["helpers"].n = n  # type: ignore[attr-defined]


def set_kept(s: Any, n: int) -> None:
    Kept.n = n


def set_ours(s: Any, n: int) -> None:
    rb.Lock.racebench_n = n  # type: ignore[attr-defined]


def set_tries(s: Any, n: int) -> None:
    s.lock.tries = n


def set_index(s: Any, n: int) -> None:
    s.lock.index = n


def set_hidden(s: Any, n: int) -> None:
    HIDDEN.n = n


def set_environment(s: Any, n: int) -> None:
    os.environ["RACEBENCH_N"] = str(n)


WAYS: dict[str, tuple[Callable[[Any], int], Callable[[Any, int], None], str]] = {
    "default": (lambda s: by_default()[0], lambda s, n: by_default().__setitem__(0, n), "by_default"),
    "keyword": (lambda s: by_keyword()[0], lambda s, n: by_keyword().__setitem__(0, n), "by_keyword"),
    "module": (lambda s: os.racebench_n, lambda s, n: put(os, n), "os.racebench_n"),  # type: ignore[attr-defined]
    "sys": (lambda s: sys.racebench_n, lambda s, n: put(sys, n), "sys.racebench_n"),  # type: ignore[attr-defined]
    "by sys": (lambda s: sys.modules["helpers"].n, set_n, "helpers.n"),  # type: ignore[attr-defined]
    "environment": (lambda s: int(os.environ["RACEBENCH_N"]), set_environment, "os.environ"),
    "property": (lambda s: HIDDEN.n, set_hidden, "Hidden._held"),
    "lock": (lambda s: s.lock.tries, set_tries, "Lock.tries"),
    "lock's index": (lambda s: s.lock.index, set_index, "Lock.index"),
    "weak": (lambda s: WEAK[KEY], lambda s, n: WEAK.__setitem__(KEY, n), "WEAK"),
    "two names": (lambda s: s.one[0], lambda s, n: s.two.__setitem__(0, n), "Shared."),
    "alias": (lambda s: s.alias[0], lambda s, n: s.alias.__setitem__(0, n), "Shared.alias"),
    "class": (lambda s: Kept.n, set_kept, "Kept.n"),
    "our class": (lambda s: rb.Lock.racebench_n, set_ours, "Lock.racebench_n"),  # type: ignore[attr-defined]
    "getattr": (lambda s: getattr(Kept, "n"), set_kept, "Kept.n"),  # noqa: B009
}


@pytest.mark.parametrize(("get", "set_to", "what"), WAYS.values(), ids=WAYS)
def test_what_two_threads_change_is_named_and_of_one_nothing_is_said(
    get: Callable[[Any], int], set_to: Callable[[Any, int], None], what: str
) -> None:
    def adds(s: Shared) -> None:
        s.x += 1
        n = get(s)
        s.x += 1
        set_to(s, n + 1)

    def looks(s: Shared) -> int:
        s.x += 1
        return get(s)

    for threads in ({"a": adds, "b": adds}, {"a": adds, "b": looks}):
        result = rb.verify(rb.Program("ways", Shared, threads))
        assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
        assert any(what in said for said in result.stats["unseen"]), result.stats["unseen"]
    result = rb.verify(rb.Program("ways", Shared, {"a": looks, "b": looks}))
    assert (result.verdict, result.complete, result.stats["unseen"]) == (rb.Verdict.CLEAN, True, ())


def test_what_a_thread_changes_and_puts_back_is_seen_at_the_steps_between() -> None:
    def lends(s: Shared) -> None:
        s.alias.append(1)
        s.x += 1
        s.alias.pop()

    def counts(s: Shared) -> None:
        Kept.n += 1
        s.x += 1
        Kept.n -= 1

    def within(s: Shared) -> None:
        s.alias.append(1)
        s.alias.pop()
        s.x += 1

    def looks(s: Shared) -> int:
        s.x += 1
        return Kept.n + len(s.alias)

    for threads, what in (({"a": lends, "b": looks}, "alias"), ({"a": looks, "b": counts}, "Kept.n")):
        result = rb.verify(rb.Program("undone", Shared, threads))
        assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
        assert any(what in said for said in result.stats["unseen"]), result.stats["unseen"]
    # No other thread runs between two steps, so none sees what is undone before the second.
    assert rb.verify(rb.Program("within", Shared, {"a": within, "b": looks})).complete
    # What one thread alone uses is its own.
    assert rb.verify(rb.Program("own", Shared, {"a": lends, "b": lambda s: s.x})).complete


def test_one_list_by_different_names_in_different_threads_is_one() -> None:
    def by_one(s: Shared) -> None:
        s.x += 1
        s.one[0] += 1

    def by_two(s: Shared) -> None:
        s.x += 1
        s.two[0] += 1

    def by_field(s: Shared) -> None:
        s.x += 1
        s.held[0] += 1

    def by_alias(s: Shared) -> None:
        s.x += 1
        s.alias[0] += 1

    for a, b in ((by_one, by_two), (by_field, by_alias)):
        assert not rb.verify(rb.Program("alias", Shared, {"a": a, "b": b})).complete


def test_what_racebench_keeps_in_a_lock_is_no_doubt() -> None:
    class All(rb.State):
        def __init__(self) -> None:
            self.lock, self.again, self.rw = rb.Lock("l"), rb.RLock("r"), rb.RWLock("rw")
            self.go, self.two = rb.Condition(), rb.Semaphore(2)

    def uses(s: All) -> None:
        with s.lock, s.again, s.again, s.two, s.rw.read():
            pass
        with s.rw.write(), s.go:
            s.go.notify_all()

    result = rb.verify(rb.Program("all", All, {"a": uses, "b": uses}))
    assert (result.complete, result.stats["unseen"]) == (True, ())


def test_a_program_too_large_to_be_looked_at_whole_has_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    program = rb.Program("large", Shared, {"a": lambda s: s.x, "b": lambda s: s.x})
    assert rb.verify(program).complete
    monkeypatch.setattr(pictures, "_MOST", 10)
    result = rb.verify(program)
    assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
    assert "more objects than RaceBench looks at" in result.stats["unseen"][0]


class Asserted(rb.State):
    x = rb.shared(0, atomic=True)


def asserts(s: Asserted) -> None:
    assert s.x in (0, 1)
    s.x = 1


def test_what_a_test_runner_puts_into_code_that_asserts_is_not_the_programs() -> None:
    # pytest rewrites asserts to calls of a module of its own, by a name that nobody can write.
    assert any(name.startswith("@") for name in asserts.__code__.co_names)
    program = rb.Program("asserted", setup=Asserted, threads={"a": asserts, "b": asserts})
    result = rb.verify(program)
    assert result.complete
    assert not result.stats.get("unseen")


def test_an_attribute_of_a_class_of_ours_that_gets_another_name_is_a_change() -> None:
    """It stands where it stood, and is the very same value."""

    class Box(rb.State):
        x = rb.shared(0)

    def renames(s: Box) -> None:
        s.x += 1
        if "before" in vars(rb.State):
            type.__setattr__(rb.State, "after", vars(rb.State)["before"])
            type.__delattr__(rb.State, "before")

    def looks(s: Box) -> bool:
        s.x += 1
        return hasattr(rb.State, "before")

    type.__setattr__(rb.State, "before", object())
    try:
        result = rb.verify(rb.Program("renamed", Box, {"a": renames, "b": looks}))
    finally:
        type.__delattr__(rb.State, "after")
    assert "State.before, a class attribute" in str(result.stats["unseen"])
