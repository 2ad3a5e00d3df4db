"""The bounded search over threads of which each always can go on: its schedules can be counted."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import racebench as rb
from racebench.engine.search import proof
from racebench.engine.search.loop import outcomes
from racebench.engine.search.preemption_bound import Ladder, PreemptionBounded, Sweep
from racebench.primitives import ops

from .. import bugs


class Counters:
    """As much of a scheduler as a search needs: threads that make so many steps each."""

    def __init__(self, *steps: int, able: Callable[[int, list[int]], bool] = lambda i, left: True) -> None:
        self.steps, self.able = steps, able
        self.orders: list[str] = []

    def run(self, strategy: Any, always_ask: bool) -> Any:
        left, order, current = list(self.steps), "", None
        tasks = [SimpleNamespace(index=i, op=ops.UP) for i in range(len(left))]
        strategy.begin()
        while True:
            enabled = [task for task in tasks if left[task.index] and self.able(task.index, left)]
            if not enabled:
                break
            current = strategy.pick(enabled, current)
            left[current.index] -= 1
            order += "abc"[current.index]
        self.orders.append(order)
        return order


def within(counters: Any, bound: int) -> tuple[PreemptionBounded, list[str]]:
    search = PreemptionBounded(counters, bound)
    for _ in outcomes(search):
        pass
    return search, counters.orders


@pytest.mark.parametrize(
    ("bound", "orders"),
    [
        (0, ["aabb", "bbaa"]),
        (1, ["aabb", "abba", "bbaa", "baab"]),
        (2, ["aabb", "abba", "abab", "bbaa", "baab", "baba"]),
    ],
)
def test_all_orders_within_the_bound_and_no_others(bound: int, orders: list[str]) -> None:
    search, met = within(Counters(2, 2), bound)
    assert sorted(met) == sorted(orders)
    assert search.complete
    assert search.cut == (bound < 2)


def test_to_switch_from_a_thread_that_cannot_go_on_is_no_preemption() -> None:
    """a waits after its first step until b has ended."""
    search, orders = within(Counters(2, 1, able=lambda i, left: i == 1 or left != [1, 1]), 0)
    assert sorted(orders) == ["aba", "baa"]
    assert not search.cut


def test_preempted_are_the_steps_made_in_the_place_of_another() -> None:
    search = PreemptionBounded(Counters(2, 2), 2)  # type: ignore[arg-type]
    met = {order: list(search.preempted) for order in map(str, outcomes(search))}
    assert met["aabb"] == []
    assert met["abba"] == [1]
    assert met["abab"] == [1, 2]


def test_a_sweep_makes_one_choice_otherwise_the_earliest_first() -> None:
    sweep = Sweep(Counters(2, 2, 2), 100)  # type: ignore[arg-type]
    assert [*outcomes(sweep)] == ["aabbcc", "bbaacc", "ccaabb", "abbacc", "accabb", "aaccbb", "aabccb"]
    assert sweep.executions == 7


def test_a_sweep_ends_once_there_were_enough() -> None:
    sweep = Sweep(Counters(2, 2, 2), 3)  # type: ignore[arg-type]
    assert [*outcomes(sweep)] == ["aabbcc", "bbaacc", "ccaabb"]


FOUND_BY_A_SWEEP = {"reorder_5": 9, "reorder_10": 19, "reorder_20": 30, "twostage_20": 30}


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep begins after 50 executions: with many threads each of 2,000 takes milliseconds."""
    monkeypatch.setattr(proof, "_ALONE", 50)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("name", FOUND_BY_A_SWEEP)
def test_what_one_early_choice_shows_is_found_before_many_threads_drown_it(name: str) -> None:
    """Depth first an early choice is the last that is made otherwise."""
    result = rb.verify(bugs.BUGS[name], max_executions=100, seconds=500)
    assert result.first_failure == 50 + FOUND_BY_A_SWEEP[name]


def test_a_search_has_2000_executions_before_the_sweep() -> None:
    result = rb.verify(bugs.BUGS["reorder_5"], max_executions=2_050, seconds=500)
    assert result.first_failure == 2_000 + FOUND_BY_A_SWEEP["reorder_5"]


@pytest.mark.usefixtures("soon")
def test_a_sweep_finds_nothing_where_there_is_nothing() -> None:
    """reorder_10, but nobody sees half of what a setter does."""

    class Pair(rb.State):
        a = rb.shared(0)
        b = rb.shared(0)

        def __init__(self) -> None:
            self.lock = rb.Lock("pair")

    def setter(s: Pair) -> None:
        with s.lock:
            s.a = 1
            s.b = -1

    def checker(s: Pair) -> None:
        with s.lock:
            rb.check_that(s.a == -s.b, "reorder.half", "a is set and b is not")

    threads = {**{f"set{i}": setter for i in range(9)}, "check": checker}
    result = rb.verify(rb.Program("healthy", setup=Pair, threads=threads), max_executions=450)
    assert (result.verdict, result.executions) == (rb.Verdict.UNKNOWN, 450)
    assert not result.findings


def test_a_ladder_goes_on_to_the_bound_that_keeps_nothing_out() -> None:
    ladder = Ladder(Counters(2, 2))  # type: ignore[arg-type]
    proved = []
    for _ in outcomes(ladder):
        proved.append(ladder.proved)
    assert proved == [None] * 2 + [0] * 4 + [1] * 6
    assert (ladder.proved, ladder.complete, ladder.executions) == (2, True, 12)


def test_a_ladder_with_a_last_bound_ends_there_and_has_not_seen_all() -> None:
    ladder = Ladder(Counters(2, 2), 1)  # type: ignore[arg-type]
    for _ in outcomes(ladder):
        pass
    assert (ladder.proved, ladder.complete, ladder.executions) == (1, False, 6)


def test_the_whole_is_explored_at_the_end_and_a_share_of_it_before() -> None:
    search = PreemptionBounded(Counters(3, 3), 9)  # type: ignore[arg-type]
    shares = [search.done() for _ in outcomes(search)]
    assert len(shares) == 20
    assert all(0 < share < 1 for share in shares[:-1])
    assert search.done() == 1.0


def test_a_thread_that_can_go_on_now_and_then_could_not_is_an_error() -> None:
    calls: list[int] = []

    def able(i: int, left: list[int]) -> bool:
        calls.append(i)
        return i == 0 or len(calls) < 6

    with pytest.raises(rb.ProgramError, match="not deterministic"):
        within(Counters(1, 2, able=able), 1)
