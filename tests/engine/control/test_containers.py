"""Fields whose values are changed in place: lists, dicts, sets, and objects of the program's own."""

from __future__ import annotations

import copy
import json
import pickle
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb

from ..random_programs import brute_force


class Box:
    def __init__(self) -> None:
        self.n = 0


class Store(rb.State):
    items = rb.shared([])
    counts = rb.shared({"k": 0})
    names = rb.shared(set())
    late = rb.shared(None)
    box = rb.shared(None)

    def __init__(self) -> None:
        self.lock = rb.Lock("store")
        self.late = deque()
        self.box = Box()


def put(s: Any) -> None:
    if len(s.items) < 1:
        s.items.append(1)


def count(s: Any) -> None:
    s.counts["k"] += 1


def name(s: Any) -> None:
    if "me" not in s.names:
        s.names.add("me")
        s.counts["k"] += 1


def put_late(s: Any) -> None:
    if len(s.late) < 1:
        s.late.append(1)


def enlarge(s: Any) -> None:
    n = s.box.n
    s.box.n = n + 1


def _at_most_one(field: str) -> Callable[[Any, Any], Any]:
    def check(s: Any, results: Any) -> Any:
        held = len(getattr(s, field))
        return None if held <= 1 else rb.broken("store.overfull", f"{held} in it", (field,))

    return check


def _exactly(n: int, look: Callable[[Any], int]) -> Callable[[Any, Any], Any]:
    def check(s: Any, results: Any) -> Any:
        return None if look(s) == n else rb.broken("store.lost", f"{look(s)}, not {n}")

    return check


BUGS = {
    "list": (put, _at_most_one("items")),
    "dict": (count, _exactly(2, lambda s: int(s.counts["k"]))),
    "set": (name, _exactly(1, lambda s: int(s.counts["k"]))),
    "assigned": (put_late, _at_most_one("late")),
}
BUG_IN_AN_OBJECT = (enlarge, _exactly(2, lambda s: int(s.box.n)))


def _program(thread: Any, check: Any) -> rb.Program:
    return rb.Program("store", Store, {"a": thread, "b": thread}, check=check)


def _locked(thread: Any) -> Any:
    def locked(s: Any) -> None:
        with s.lock:
            thread(s)

    return locked


@pytest.mark.parametrize("bug", [*BUGS.values(), BUG_IN_AN_OBJECT], ids=[*BUGS, "object"])
def test_what_is_lost_between_two_uses_is_found(bug: Any) -> None:
    program = _program(*bug)
    proved = rb.verify(program)
    assert proved.complete is (bug is not BUG_IN_AN_OBJECT)
    [found] = proved.findings
    assert found.rule in ("store.overfull", "store.lost")
    assert found.evidence["replays"] == [10, 10]
    assert {f.rule for f in rb.explore(program, executions=300).findings} == {found.rule}


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_under_a_lock_nothing_is_lost(bug: Any) -> None:
    thread, check = bug
    proved = rb.verify(_program(_locked(thread), check))
    assert (proved.verdict, proved.executions) == (rb.Verdict.CLEAN, 2)


def test_what_is_only_looked_at_commutes() -> None:
    def look(s: Any) -> Any:
        return len(s.items), list(s.counts), "me" in s.names

    proved = rb.verify(rb.Program("looks", Store, {"a": look, "b": look}))
    assert (proved.verdict, proved.executions) == (rb.Verdict.CLEAN, 1)


def test_threads_that_use_elements_of_their_own_do_not_race() -> None:
    def own(i: int) -> Any:
        def use(s: Any) -> None:
            s.counts[i] = i

        return use

    program = rb.Program("own", Store, {"a": own(1), "b": own(2)})
    assert rb.verify(program).verdict is rb.Verdict.CLEAN
    assert rb.explore(program, executions=50).verdict is rb.Verdict.CLEAN


def test_a_step_shows_what_is_inside() -> None:
    [found] = rb.verify(_program(*BUGS["dict"])).findings
    written = [
        (step["object"], step["old"], step["new"])
        for step in found.evidence["steps"]
        if step["op"] == "write"
    ]
    assert written == [("Store.counts", "{'k': 0}", "{'k': 1}"), ("Store.counts", "{'k': 1}", "{'k': 1}")]


class Growing(rb.State):
    """A field that has something to change in place only in some executions."""

    go = rb.shared(0, atomic=True)
    late = rb.shared(None, atomic=True)
    seen = rb.shared((), atomic=True)


def _gives(s: Any) -> None:
    if s.go:
        s.late = []


def _goes(s: Any) -> None:
    s.go = 1


def _takes(k: int) -> Any:
    def takes(s: Any) -> None:
        late = s.late
        if late is not None:
            late.append(k)
            s.seen = (*s.seen, *late.copy())

    return takes


def test_a_field_that_gets_something_to_change_late_is_searched_all_the_same() -> None:
    threads = {"gives": _gives, "goes": _goes, "one": _takes(1), "two": _takes(2)}

    def program(check: Any) -> rb.Program:
        return rb.Program("growing", Growing, threads, check=check)

    def ends(run: Callable[[rb.Program], Any]) -> set[Any]:
        met = set()

        def check(s: Any, results: Any) -> None:
            met.add((s.go, None if s.late is None else tuple(s.late), s.seen))

        run(program(check))
        return met

    by_force = ends(lambda p: brute_force(p, 100_000))
    assert ends(rb.verify) == by_force
    assert any(late == (2, 1) for _, late, _ in by_force)


def test_they_are_what_they_look_like() -> None:
    shown: list[Any] = []

    def use(s: Any) -> Any:
        s.items.extend([2, 1])
        s.names.add(4)
        s.counts.update(z=1)
        shown[:] = [
            sorted(s.items), len(s.items), list(s.items), s.items[1:], s.items + [3], [3] + s.items,  # noqa: RUF005
            s.items == [2, 1], tuple(s.items), max(s.items), [*s.items], 2 in s.items, bool(s.items),
            copy.copy(s.items), copy.deepcopy(s.counts), json.dumps(s.counts), dict(s.counts), {**s.counts},
            s.names | {1}, s.counts.get("q"), repr(s.counts), str(s.names), isinstance(s.items, list),
            type(pickle.loads(pickle.dumps(s.items))), type(copy.copy(s.counts)),
        ]  # fmt: skip
        s.items += [9]
        s.items.sort()
        del s.items[0]
        return s.items

    result = rb.explore(rb.Program("uses", Store, {"a": use}), executions=1)
    assert result.verdict is rb.Verdict.CLEAN, [f.summary for f in result.findings]
    assert shown == [
        [1, 2], 2, [2, 1], [1], [2, 1, 3], [3, 2, 1],
        True, (2, 1), 2, [2, 1], True, True,
        [2, 1], {"k": 0, "z": 1}, '{"k": 0, "z": 1}', {"k": 0, "z": 1}, {"k": 0, "z": 1},
        {1, 4}, None, "{'k': 0, 'z': 1}", "{4}", True,
        list, dict,
    ]  # fmt: skip
