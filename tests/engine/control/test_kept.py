"""What a thread gets hold of with a lock held, and uses when it holds the lock no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import racebench as rb

Threads = Callable[["Shop"], Any]


class Shop(rb.State):
    def __init__(self) -> None:
        self.lock = rb.Lock("lock")
        self.items: Any = [0]
        self.table: dict[str, Any] = {"a": [0]}
        self.pair = (0, 1)
        self.codes = bytearray(b"0")

    def got(self) -> Any:
        with self.lock:
            return self.items

    def got_and_released(self) -> Any:
        self.lock.acquire()
        try:
            return self.items
        finally:
            self.lock.release()

    def drawn(self) -> Iterator[Any]:
        with self.lock:
            items = self.items
        yield from items

    def drawn_with_the_lock(self) -> Iterator[Any]:
        with self.lock:
            yield from self.items


def passes(s: Shop) -> None:
    with s.lock:
        pass


def adds(s: Shop) -> None:
    with s.lock:
        s.items.append(s.codes[0])
        s.table["a"].append(1)
        s.codes.append(1)
        s.pair = (s.pair[1], 2)


def by_a_variable(s: Shop) -> None:
    with s.lock:
        items = s.items
    items[0] += 1


def by_a_result(s: Shop) -> None:
    s.got()[0] += 1


def by_a_result_in_a_try(s: Shop) -> None:
    s.got_and_released()[0] += 1


def by_an_argument(s: Shop) -> None:
    with s.lock:
        items = s.items
    increments(items)


def increments(found: list[int]) -> None:
    found[0] += 1


def by_a_closure(s: Shop) -> int:
    with s.lock:
        items = s.items
        length = lambda: len(items)  # noqa: E731
    return length()


def by_a_container_of_its_own(s: Shop) -> None:
    with s.lock:
        mine = {"k": [s.items]}
    mine["k"][0][0] = 5


def by_an_iterator(s: Shop) -> list[int]:
    with s.lock:
        each = enumerate(map(abs, s.items))
    return list(each)


def by_a_generator(s: Shop) -> list[int]:
    return list(s.drawn())


def by_a_method(s: Shop) -> None:
    with s.lock:
        add = s.items.append
    add(3)


def by_a_call_to_come(s: Shop) -> None:
    with s.lock:
        add = partial(partial(s.items.append), 3)
    add()


def by_what_is_inside(s: Shop) -> None:
    with s.lock:
        inner = s.table["a"]
    inner[0] += 1


def by_a_view(s: Shop) -> list[Any]:
    with s.lock:
        view = s.table.items()
    return [list(value) for _, value in view]


def by_a_buffer(s: Shop) -> None:
    with s.lock:
        view = memoryview(s.codes)
    view[0] = 3
    view.release()


def with_another_lock(s: Shop) -> None:
    other = rb.Lock("other")
    with s.lock:
        items = s.items
    with other:
        items[0] += 1


def while_it_is_replaced(s: Shop) -> None:
    with s.lock:
        s.items = [4]
        items = s.items
    items[0] += 1


@pytest.mark.parametrize("names", ["ab", "ba"])
@pytest.mark.parametrize(
    "keeps",
    [
        by_a_variable, by_a_result, by_a_result_in_a_try, by_an_argument, by_a_closure,
        by_a_container_of_its_own, by_an_iterator, by_a_generator, by_a_method, by_a_call_to_come,
        by_what_is_inside, by_a_view, by_a_buffer, with_another_lock, while_it_is_replaced,
    ],
)  # fmt: skip
def test_what_is_used_after_the_lock_is_no_proof(keeps: Threads, names: str) -> None:
    result = rb.verify(rb.Program("shop", Shop, dict(zip(names, (keeps, adds), strict=True))))
    assert (result.verdict, result.complete) == (rb.Verdict.UNKNOWN, False)
    assert any("Shop." in said for said in result.stats["unseen"])


def test_the_place_without_the_lock_is_named() -> None:
    result = rb.verify(rb.Program("shop", Shop, {"a": by_a_variable, "b": adds}))
    [said] = (said for said in result.stats["unseen"] if "Shop.items" in said)
    line = by_a_variable.__code__.co_firstlineno + 3
    assert f"test_kept.py:{line}" in said


# -- the healthy twins


def within_the_lock(s: Shop) -> None:
    with s.lock:
        items, inner, add = s.items, s.table["a"], s.items.append
        items[0] += 1
        inner.append(2)
        add(len(list(iter(items))))


def a_value(s: Shop) -> int:
    with s.lock:
        first, pair = s.items[0], s.pair
    return int(first + pair[0])


def a_copy(s: Shop) -> int:
    with s.lock:
        mine = list(s.items)
    mine.append(2)
    return sum(mine)


def takes_it_out(s: Shop) -> int:
    with s.lock:
        mine, s.items = s.items, deque([1])
    mine.append(2)
    return sum(mine)


def in_a_generator(s: Shop) -> int:
    return sum(s.drawn_with_the_lock())


def by_a_result_within(s: Shop) -> None:
    def found() -> list[int]:
        return s.items  # type: ignore[no-any-return]

    with s.lock:
        found()[0] += 1


def another_variable(s: Shop) -> int:
    with s.lock:
        lock = s.lock
    with lock:
        return len(s.items)


@pytest.mark.parametrize("names", ["ab", "ba"])
@pytest.mark.parametrize(
    "uses",
    [within_the_lock, a_value, a_copy, takes_it_out, in_a_generator, by_a_result_within, another_variable],
)
def test_what_is_used_within_it_is_proved(uses: Threads, names: str) -> None:
    for other in (adds, uses):
        result = rb.verify(rb.Program("shop", Shop, dict(zip(names, (uses, other), strict=True))))
        assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True), result.stats["unseen"]
