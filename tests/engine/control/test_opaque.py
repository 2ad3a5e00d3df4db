"""Values that change without a step: where two threads get at one there is no proof."""

from __future__ import annotations

import array
import copy
import functools
import heapq
import json
import types
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control import adoption as adopting
from tests.outside import REAL


class Widget:
    def __init__(self) -> None:
        self.n = 0

    def grow(self) -> None:
        self.n += 1


class Slots:
    __slots__ = ("n",)


@dataclass
class Open:
    n: int = 0


@dataclass(frozen=True)
class Frozen:
    inner: Any = 0


class Cache(rb.State):
    entries = rb.shared(None)
    other = rb.shared(None)
    items = rb.shared([])
    nested = rb.shared([[], {"k": []}, ([],), Frozen([]), deque([set()])])
    done = rb.shared(0, atomic=True)

    def __init__(self) -> None:
        self.lock = rb.Lock("cache")


def having(make: Callable[[], Any]) -> Callable[[], Cache]:
    def setup() -> Cache:
        s = Cache()
        s.entries = make()
        return s

    return setup


def touch(s: Any) -> None:
    with s.lock:
        s.entries  # noqa: B018


def nothing(s: Any) -> None:
    s.done = 1


def program(setup: Any, a: Any, b: Any = None, check: Any = None) -> rb.Program:
    return rb.Program("cache", setup, {"a": a, "b": b or a}, check=check)


def verify(p: rb.Program) -> rb.Result:
    return rb.verify(p, seconds=600, max_executions=20_000)


def within(p: rb.Program) -> rb.Result:
    return rb.verify(p, preemptions=1, seconds=600, max_executions=20_000)


def explore(p: rb.Program) -> rb.Result:
    return rb.explore(p, executions=20)


def stress(p: rb.Program) -> rb.Result:
    return rb.stress(p, seconds=0.05)


MODES = (verify, within, explore, stress)


def closure() -> Any:
    n = [0]
    return lambda: n


def counter() -> Any:
    n = 0

    def count() -> int:
        nonlocal n
        n += 1
        return n

    return count


def aliased(value: Any) -> Any:
    KEPT.append(value)
    return value


KEPT: list[Any] = []

CHANGES: dict[str, Callable[[], Any]] = {
    "Widget": Widget,
    "Slots": Slots,
    "Open": Open,
    "bytearray": bytearray,
    "array": lambda: array.array("i"),
    "list_iterator": lambda: iter([1]),
    "generator": lambda: (x for x in ()),
    "function": closure,
    "function count": counter,
    "list": lambda: [].append,
    "Widget in a method": lambda: Widget().grow,
    "partial": lambda: functools.partial(print),
    "Widget in a tuple": lambda: (1, (Widget(),)),
    "Widget in a frozen one": lambda: Frozen(Widget()),
    "Widget in a list": lambda: [Widget()],
    "Widget in a dict": lambda: {"k": (Widget(),)},
    "SimpleNamespace": types.SimpleNamespace,
    "list of another's": lambda: aliased([]),
    "list of another's within": lambda: [aliased([])],
}

STAYS: dict[str, Callable[[], Any]] = {
    "int": lambda: 1,
    "tuple": lambda: (1, ("a",)),
    "frozen": lambda: Frozen((1, Frozen())),
    "function": lambda: closure,
    "class": lambda: Widget,
    "module": lambda: json,
    "state": Cache,
    "states": lambda: (Cache(), Cache()),
    "lock": lambda: rb.Lock("other"),
    "list": lambda: [1],
    "nested": lambda: [[], ({},), Frozen([deque()])],
    "bare": object,
}


def use(s: Any) -> None:
    """Look at all that is in the field, with the lock held."""
    with s.lock:
        value = s.entries
        if isinstance(value, (list, dict)):
            len(value)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", CHANGES.values(), ids=CHANGES)
def test_two_threads_that_get_at_what_changes_leave_no_proof(make: Any, mode: Any) -> None:
    result = mode(program(having(make), use))
    assert (result.verdict, result.complete, result.findings) == (rb.Verdict.UNKNOWN, False, ())
    [said] = result.stats["unseen"]
    assert said.startswith("Cache.entries holds ")
    assert ", which changes unseen: keep what is in it in fields of a State" in said


def test_what_is_said_names_the_field_and_the_class() -> None:
    for made, said in ((Widget, "a Widget"), (Open, "an Open")):
        [sentence] = verify(program(having(made), touch)).stats["unseen"]
        assert sentence.startswith(f"Cache.entries holds {said}, which changes unseen: ")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", CHANGES.values(), ids=CHANGES)
def test_of_one_thread_alone_nothing_is_said(make: Any, mode: Any) -> None:
    result = mode(program(having(make), use, nothing))
    assert (result.verdict, result.stats["unseen"]) == (rb.Verdict.CLEAN, ())


@pytest.mark.parametrize("make", STAYS.values(), ids=STAYS)
def test_what_stays_as_it_is_is_proved(make: Any) -> None:
    result = verify(program(having(make), use))
    assert (result.verdict, result.complete, result.stats["unseen"]) == (rb.Verdict.CLEAN, True, ())


def test_what_is_found_is_found() -> None:
    def grow(s: Any) -> None:
        s.entries.n = s.entries.n + 1

    def check(s: Any, results: Any) -> Any:
        return None if s.entries.n == 2 else rb.broken("n.lost", "lost")

    lossy = program(having(Widget), grow, check=check)
    result = verify(lossy)
    assert (result.verdict, result.complete) == (rb.Verdict.FOUND, False)
    assert result.stats["unseen"]
    [finding] = [f for f in result.findings if f.rule == "n.lost"]
    again = rb.replay(lossy, finding.schedule)
    assert (again.verdict, again.stats["unseen"]) == (rb.Verdict.FOUND, result.stats["unseen"])


def test_a_replay_says_so_too() -> None:
    steps = [(t, op, o) for t in "ab" for op, o in (
        ("acquire", "cache"), ("read", "Cache.entries"), ("release", "cache"))]  # fmt: skip
    result = rb.replay(program(having(Widget), touch), tuple(steps))
    assert (result.verdict, bool(result.stats["unseen"])) == (rb.Verdict.UNKNOWN, True)


@pytest.mark.parametrize("mode", (verify, explore))
def test_one_thing_that_two_fields_have_is_one(mode: Any) -> None:
    def setup() -> Cache:
        s = Cache()
        s.entries = s.other = Widget()
        return s

    def other(s: Any) -> None:
        s.other  # noqa: B018

    result = mode(program(setup, touch, other))
    assert result.verdict is rb.Verdict.UNKNOWN


def test_who_writes_it_has_it_too() -> None:
    def writes(s: Any) -> None:
        mine = Widget()
        s.entries = mine
        mine.n += 1

    assert verify(program(Cache, writes, touch)).stats["unseen"]


def test_a_predicate_gets_at_it_too() -> None:
    def waits(s: Any) -> None:
        rb.wait_until(lambda: s.entries.n == 0)

    assert verify(program(having(Widget), touch, waits)).stats["unseen"]


# -- objects that have no attributes yet


class Bare:
    def set(self) -> None:
        self.n = 1


BARE = Bare()


class Default(rb.State):
    value = rb.shared(BARE)


def test_an_object_without_attributes_is_itself() -> None:
    """It marks something, and is compared by identity: a copy would not be it."""
    assert Default().value is BARE
    result = verify(rb.Program("bare", Default, {"a": lambda s: s.value is BARE, "b": lambda s: s.value}))
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)


def test_an_object_that_is_given_attributes_later_changes() -> None:
    def sets(s: Any) -> None:
        s.entries.set()

    def looks(s: Any) -> bool:
        return hasattr(s.entries, "n")

    for a, b in ((sets, looks), (looks, sets)):
        assert verify(program(having(Bare), a, b)).verdict is rb.Verdict.UNKNOWN


# -- defaults


def test_a_default_is_copied_whole() -> None:
    one, two = Cache(), Cache()
    one.nested[0].append(1)
    one.nested[1]["k"].append(1)
    one.nested[2][0].append(1)
    one.nested[3].inner.append(1)
    one.nested[4][0].add(1)
    assert two.nested == [[], {"k": []}, ([],), Frozen([]), deque([set()])]


@pytest.mark.parametrize("run", [verify, explore, lambda p: rb.stress(p, seconds=0.1)])
def test_nothing_leaks_from_one_execution_into_the_next(run: Any) -> None:
    def puts(s: Any) -> None:
        s.nested[0].append(1)
        s.nested[2][0].append(1)

    def check(s: Any, results: Any) -> Any:
        n = (len(s.nested[0]), len(s.nested[2][0]))
        return None if n == (2, 2) else rb.broken("leaks", f"{n}")

    assert run(program(Cache, puts, check=check)).findings == ()


def test_a_default_that_cannot_be_copied_is_named() -> None:
    class Streams(rb.State):
        lines = rb.shared(x for x in ())

    with pytest.raises(rb.UsageError, match=r"Streams\.lines: its default cannot be copied"):
        Streams()
    with pytest.raises(rb.ProgramError, match=r"Streams\.lines: its default cannot be copied"):
        verify(rb.Program("streams", Streams, {"a": nothing}))


def test_of_a_state_or_a_module_in_a_default_there_is_one() -> None:
    inner = Cache()

    class Outer(rb.State):
        parts = rb.shared([inner, json, {"w": Widget}])

    assert Outer().parts[0] is inner
    assert Outer().parts[1] is json


# -- containers that are put in later


def _leaves_one(s: Any) -> None:
    if not s.entries["k"]:
        s.entries["k"].append(1)


def _at_most_one(s: Any, results: Any) -> Any:
    return None if len(s.entries["k"]) == 1 else rb.broken("k.twice", f"{len(s.entries['k'])}")


def _in_setup(s: Any) -> None:
    s.entries = {"k": []}


def _in_steps(s: Any) -> None:
    s.entries = {}
    s.entries["k"] = []


def _by_method(s: Any) -> None:
    s.entries = {}
    s.entries.setdefault("k", []).extend(())


def _updated(s: Any) -> None:
    s.entries = {}
    s.entries.update({"k": []})


WAYS = {"setup": _in_setup, "steps": _in_steps, "method": _by_method, "updated": _updated}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("in_thread", [False, True], ids=["in setup", "in a thread"])
def test_what_is_put_in_later_is_tracked(way: Any, in_thread: bool) -> None:
    def setup() -> Cache:
        s = Cache()
        if not in_thread:
            way(s)
        return s

    def first(s: Any) -> None:
        if in_thread:
            way(s)
            s.done = 1
        _leaves_one(s)

    def second(s: Any) -> None:
        if in_thread:
            rb.wait_until(lambda: s.done)
        _leaves_one(s)

    result = verify(program(setup, first, second, check=_at_most_one))
    assert (result.complete, result.stats["unseen"]) == (True, ())
    assert {f.rule for f in result.findings} == {"k.twice"}


@pytest.mark.parametrize("put", [
    lambda s, x: setattr(s, "entries", x),
    lambda s, x: s.items.append(x),
    lambda s, x: s.items.__setitem__(slice(0, 0), [x]),
    lambda s, x: s.items.extend([x]),
    lambda s, x: s.nested[1].setdefault("x", x),
    lambda s, x: s.nested[1].update(x=x),
    lambda s, x: s.nested[1].__setitem__("x", x),
])  # fmt: skip
def test_what_something_else_has_too_stays_the_same_object(put: Any) -> None:
    def puts(s: Any) -> Any:
        with s.lock:
            mine: list[int] = []
            put(s, mine)
            mine.append(1)
            found = [s.entries, *s.items.copy(), *s.nested[1].copy().values()]
            return any(one is mine for one in found)

    def looks(s: Any) -> None:
        with s.lock:
            s.entries, len(s.items), len(s.nested[1])

    result = verify(program(Cache, puts, looks, lambda s, r: None if r["a"] else rb.broken("not.same", "it")))
    assert (result.verdict, result.findings) == (rb.Verdict.UNKNOWN, ())


def test_what_two_fields_have_stays_one() -> None:
    def setup() -> Cache:
        s = Cache()
        s.entries = s.other = [[]]
        return s

    def puts(s: Any) -> None:
        with s.lock:
            s.entries[0].append(1)

    def check(s: Any, results: Any) -> Any:
        return None if s.other[0] == [1, 1] else rb.broken("not.one", f"{s.other}")

    result = verify(program(setup, puts, check=check))
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)


def test_a_python_whose_references_tell_nothing_makes_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adopting, "_BY_CALL", -1)
    monkeypatch.setattr(adopting, "_BY_SLOT", -1)

    def puts(s: Any) -> None:
        with s.lock:
            s.entries = []

    assert verify(program(Cache, puts)).verdict is rb.Verdict.UNKNOWN


# -- code in C


def test_what_heapq_does_is_not_seen_and_said() -> None:
    def pushes(s: Any) -> None:
        with s.lock:
            REAL["push"](s.items, 1)

    for mode in MODES:
        result = mode(program(Cache, pushes))
        assert result.verdict is rb.Verdict.UNKNOWN
        [said] = result.stats["unseen"]
        assert said.startswith("Cache.items holds a list that is changed without its methods")


def test_what_heapq_does_is_noticed_before_a_method_covers_it() -> None:
    def pushes(s: Any) -> None:
        with s.lock:
            REAL["push"](s.items, 1)
            s.items.append(2)

    assert verify(program(Cache, pushes)).verdict is rb.Verdict.UNKNOWN


def test_what_a_program_calls_of_heapq_is_written_in_python() -> None:
    def pushes(s: Any) -> Any:
        with s.lock:
            heapq.heappush(s.items, 2)
            heapq.heappush(s.items, 1)
            return heapq.heappop(s.items)

    result = verify(program(Cache, pushes))
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)


@pytest.mark.parametrize("look", [
    list, tuple, set, sorted, sum, len, bool, repr, json.dumps, copy.copy, copy.deepcopy, lambda x: [*x],
    lambda x: [0] + x, lambda x: x + [0], lambda x: [1] == x, lambda x: x[:], lambda x: 1 in x,  # noqa: RUF005, SIM300
    lambda x: list(reversed(x)), lambda x: "".join(map(str, x)), lambda x: x.copy(),
    lambda x: array.array("i", x),
])  # fmt: skip
def test_what_looks_at_a_list_sees_each_of_its_changes(look: Any) -> None:
    """Against a thread that changes it, both orders come about, wherever the list was got from."""

    def looks(s: Any) -> Any:
        return look(s.items)

    def changes(s: Any) -> None:
        s.items.append(1)

    seen = []
    result = verify(program(Cache, looks, changes, lambda s, r: seen.append(r["a"])))
    assert result.complete
    assert look([]) in seen
    assert look([1]) in seen


def test_each_next_is_a_step() -> None:
    def goes(s: Any) -> Any:
        return [one for one in s.entries]

    def changes(s: Any) -> None:
        s.entries[3] = 3

    result = verify(program(having(lambda: {1: 1, 2: 2}), goes, changes))
    assert {f.rule for f in result.findings} == {"program.error"}
    assert "changed size during iteration" in result.findings[0].summary


def test_a_view_is_live() -> None:
    def looks(s: Any) -> Any:
        view = s.entries.items()
        s.done = 1
        return (1, 1) in view

    def changes(s: Any) -> None:
        del s.entries[1]

    seen = set()
    result = verify(program(having(lambda: {1: 1}), looks, changes, lambda s, r: seen.add(r["a"])))
    assert (result.complete, seen) == (True, {True, False})


def test_what_a_sort_does_meanwhile_is_seen() -> None:
    def sorts(s: Any) -> None:
        s.items.sort(key=lambda x: (s.done, -x))

    def looks(s: Any) -> Any:
        return s.items.copy()

    def setup() -> Cache:
        s = Cache()
        s.items = [1, 2]
        return s

    seen = []
    result = verify(program(setup, sorts, looks, lambda s, r: seen.append(r["b"])))
    assert result.complete
    assert {tuple(one) for one in seen} == {(1, 2), (), (2, 1)}


# -- setup, and reports


def test_what_setup_does_to_a_default_by_any_means_is_where_it_starts() -> None:
    def setup() -> Cache:
        s = Cache()
        heapq.heappush(s.items, 2)
        for _ in range(2):
            row: list[int] = []
            s.items.append(row)
            s.nested[1]["row"] = [row]
        return s

    def puts(s: Any) -> None:
        with s.lock:
            s.items[2].append(1)

    def check(s: Any, results: Any) -> Any:
        right = s.items[2] is s.nested[1]["row"][0] and s.items[2] == [1, 1]
        return None if right else rb.broken("not.one", f"{s.items} {s.nested}")

    result = verify(program(setup, puts, check=check))
    assert (result.verdict, result.complete, result.findings) == (rb.Verdict.CLEAN, True, ())


def test_an_object_that_setup_puts_into_a_default_changes_unseen() -> None:
    def setup() -> Cache:
        s = Cache()
        s.items.append(Widget())
        return s

    def looks(s: Any) -> None:
        with s.lock:
            len(s.items)

    assert verify(program(setup, looks)).stats["unseen"]
    assert verify(program(setup, looks, nothing)).complete


def test_what_a_report_looks_at_is_no_step() -> None:
    def setup() -> Cache:
        s = Cache()
        s.entries = Frozen(Frozen([[[[1]]]]))
        return s

    def adds(s: Any) -> None:
        s.done = s.done + len(s.entries.inner.inner)

    always = lambda s, r: rb.broken("always", "always")  # noqa: E731
    [finding] = verify(program(setup, adds, check=always)).findings
    assert finding.evidence["replays"] == [10, 10]
    assert "[[[[1]]]]" in str(finding.evidence["steps"])


def test_a_delayed_field_has_no_containers_of_its_own() -> None:
    class Late(rb.State):
        items = rb.shared([], delayed=True)

    def looks(s: Any) -> None:
        s.items  # noqa: B018

    [said] = verify(rb.Program("late", Late, {"a": looks, "b": looks})).stats["unseen"]
    assert said.startswith("Late.items holds a list that something else has too, which changes unseen: ")


def test_a_handler_gets_at_what_its_thread_has() -> None:
    def setup() -> Cache:
        return having(Widget)()

    p = rb.Program("irq", setup, {"a": touch}, interrupts={"irq": ("a", lambda s: s.entries and None)})
    assert verify(p).verdict is rb.Verdict.UNKNOWN
