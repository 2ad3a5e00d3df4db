"""The estimate of all executions, on programs whose number is known, a tenth of the way and later.

    python -m tests.engine.search.test_estimate

prints the table of README.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search.dpor import Search
from racebench.engine.search.estimate import Estimate
from racebench.engine.search.preemption_bound import Ladder

from .. import bugs

PLACES = (0.1, 0.25, 0.5, 0.75)


class Plain(rb.State):
    x = rb.shared(0)
    y = rb.shared(0)

    def __init__(self) -> None:
        self.a, self.b = rb.Lock("a"), rb.Lock("b")


def takes(*locks: str) -> Callable[[Any], None]:
    def run(s: Any, left: tuple[str, ...] = locks) -> None:
        if left:
            with getattr(s, left[0]):
                run(s, left[1:])

    return run


def twice(s: Any) -> None:
    for _ in range(2):
        with s.a:
            pass


def adds(s: Any) -> None:
    s.x += 1


def adds_four_times(s: Any) -> None:
    for _ in range(4):
        s.x += 1


def sets(*fields: str, value: int = 1) -> Callable[[Any], None]:
    def run(s: Any) -> None:
        for field in fields:
            setattr(s, field, value)

    return run


def reads(s: Any) -> tuple[int, int]:
    return s.x, s.y


def late(s: Any) -> None:
    with s.a:
        pass
    s.x += 1


def program(name: str, *threads: Callable[[Any], Any], setup: type[rb.State] = Plain) -> rb.Program:
    return rb.Program(name, setup=setup, threads={str(n): run for n, run in enumerate(threads)})


def adds_eight_times(s: Any) -> None:
    for _ in range(8):
        s.x += 1


def adds_five_times(s: Any) -> None:
    for _ in range(5):
        s.x += 1


def sets_twelve_times(s: Any) -> None:
    for _ in range(12):
        s.x = 1


def reads_x(s: Any) -> int:
    return int(s.x)


def first_is_done_soon(s: Any) -> None:
    if s.x == 0:
        s.x = 1
        return
    for _ in range(3):
        s.y += 1


def last_has_much_to_do(s: Any) -> None:
    if s.x == 2:
        for _ in range(4):
            s.y += 1


class Counted(rb.State):
    x = rb.shared(0)

    def __init__(self) -> None:
        self.two = rb.Semaphore(2, "two")


def one_of_two(s: Any) -> None:
    s.two.acquire()
    s.x += 1
    s.two.release()


AB, BA = takes("a", "b"), takes("b", "a")
SEVEN = program("a lock, 7 threads", *[takes("a")] * 7)
TWICE = program("a lock twice, 3 threads", *[twice] * 3)
THREE = program("x += 1, 3 threads", *[adds] * 3)
FOUR = program("x += 1, 4 threads", *[adds] * 4)
LONG = program("x += 1 four times, 2 threads", *[adds_four_times] * 2)
CROSSED = program("a b, b a, a b, b a", AB, BA, AB, BA)
MESSAGES = program("2 writers, 2 readers", sets("x", "y"), reads, reads, sets("x", "y"))
LATE = program("a lock, then x += 1", late, late, late)
ONE_LONG = program("a thread of 12 steps, 3 of 1", sets_twelve_times, reads_x, sets("x"), sets("x"))
LOPSIDED = program("a long way in few orders", adds, adds, *[last_has_much_to_do] * 2)

WHOLE = [
    (FOUR, 576), (ONE_LONG, 2730), (bugs.wronglock(4), 3000), (LONG, 3334), (SEVEN, 5040), (LOPSIDED, 6702),
    (program("a semaphore of 2, 4 threads", *[one_of_two] * 4, setup=Counted), 7800),
]  # fmt: skip
"""In a test."""

LARGE = [
    program("3 of 4 threads take a short way", *[first_is_done_soon] * 3, reads),
    program("x += 1, 5 threads", *[adds] * 5),
    program("a thread of 16 steps, 3 short ones", adds_eight_times, reads_x, sets("x"), sets("x")),
    bugs.twostage(3, 2),
    bugs.wronglock(5),
    program("x += 1 five times, 2 threads", *[adds_five_times] * 2),
    bugs.reorder(4, 1),
]
"""For the table alone."""

BOUNDED = [
    (TWICE, 2, 90),
    (THREE, 3, 180),
    (CROSSED, 2, 336),
    (MESSAGES, 2, 864),
    (LATE, 2, 276),
    (LONG, 3, 540),
]


def estimated(search: Any) -> tuple[int, list[float]]:
    """How many executions ``search`` takes, and its estimates of that, as shares of it, on the way."""
    estimates: dict[int, float] = {}
    more = True
    while more:
        search.execute()
        more = search.advance()
        if more and search.executions:
            if isinstance(search, Search):
                search.look_ahead()
            estimates[search.executions] = search.executions / search.done()
    total = search.executions
    return total, [estimates[next(n for n in estimates if n >= place * total)] / total for place in PLACES]


def whole(of: rb.Program) -> tuple[int, list[float]]:
    with Scheduler(of) as scheduler:
        return estimated(Search(scheduler))


def bounded(of: rb.Program, preemptions: int) -> tuple[int, list[float]]:
    with Scheduler(of) as scheduler:
        return estimated(Ladder(scheduler, preemptions))


@pytest.mark.parametrize(("of", "expected"), WHOLE, ids=lambda of: getattr(of, "name", None))
def test_the_estimate_of_a_search_is_within_a_factor_of_two(of: rb.Program, expected: int) -> None:
    total, shares = whole(of)
    assert total == expected
    assert all(0.5 <= share <= 2.0 for share in shares), shares


@pytest.mark.parametrize(("of", "preemptions", "expected"), BOUNDED, ids=lambda of: getattr(of, "name", None))
def test_the_estimate_of_a_bounded_search_is_within_a_factor_of_two_and_a_half(
    of: rb.Program, preemptions: int, expected: int
) -> None:
    total, shares = bounded(of, preemptions)
    assert total == expected
    assert all(0.4 <= share <= 2.0 for share in shares), shares


def test_a_bound_beyond_all_that_can_be_used_is_estimated_too() -> None:
    """Nobody knows which bound will keep nothing out: too much is expected, never too little."""
    total, shares = bounded(THREE, 10**9)
    assert total == 180
    assert all(0.9 <= share <= 20.0 for share in shares), shares


def test_a_walk_that_hangs_is_the_last_execution_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search alone comes to the hang in a later execution; a walk comes to it between two of them."""

    def spins(s: Any) -> None:
        while s.x == 0 and s.y == 0:
            while True:
                pass

    threads = {"adds": sets("y", value=2), "spins": spins, "sets": sets("x", "y")}
    monkeypatch.setattr(Estimate, "due", lambda self, executions: True)
    with Scheduler(rb.Program("hangs", Plain, threads), stall_s=0.2) as scheduler:
        search = Search(scheduler)
        first = search.execute()
        assert first is not None and not first.faults and search.advance()
        # Walks are drawn, always alike: some go where the search has not been yet.
        while not scheduler.floor.hangs:
            search.look_ahead()
        hung = search.execute()
        assert hung is not None and [fault.rule for fault in hung.faults] == ["stall.hang"]
        assert search.executions == 2 and not search.complete


def main() -> None:
    for of in [*(of for of, _ in WHOLE), *LARGE]:
        total, shares = whole(of)
        print(f"| {of.name} | {total} |", " | ".join(f"{share:.2f}" for share in shares), "|")
    for of, preemptions, _ in BOUNDED:
        total, shares = bounded(of, preemptions)
        print(
            f"| {of.name}, {preemptions} preemptions | {total} |", " | ".join(f"{s:.2f}" for s in shares), "|"
        )


if __name__ == "__main__":
    main()
