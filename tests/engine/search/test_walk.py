"""What a strategy hears of its executions, and what is told of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import racebench as rb
from racebench.engine import strategies
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.explain.answers import explore
from racebench.engine.search.loop import Loop, Plan
from racebench.engine.search.walk import Walk
from racebench.engine.strategies import Strategy
from racebench.engine.strategies.portfolio import Portfolio

from .. import programs as p


class First(Strategy):
    """The first that can move; keeps what it hears."""

    def __init__(self) -> None:
        super().__init__(0, 2)
        self.heard: list[bool] = []

    def pick(self, enabled: Any, current: Any) -> Any:
        return enabled[0]

    def reward(self, new: bool) -> None:
        self.heard.append(new)

    def statistics(self) -> dict[str, Any]:
        return {"mine": len(self.heard)}


def walked(program: rb.Program, strategy: Strategy, executions: int) -> tuple[Walk, Loop]:
    loop = Loop(Plan(executions))
    with Scheduler(program) as scheduler:
        walk = Walk(scheduler, strategy)
        loop.run(scheduler, walk)
    return walk, loop


def test_an_execution_is_worth_its_while_if_it_is_of_a_new_class() -> None:
    strategy = First()
    walk, _ = walked(p.account(p.locked_deposit), strategy, 4)
    assert strategy.heard == [True, False, False, False]
    assert walk.stale == 3
    stats = walk.stats(0.0, False)
    assert stats["classes"] == 1
    [row] = stats["strategies"].values()
    assert (row["executions"], row["classes"], row["hits"], row["mine"]) == (4, 1, 0, 4)


def test_an_execution_that_is_interrupted_does_not_count() -> None:
    checked: list[int] = []

    def setup() -> p.Account:
        if len(checked) == 2:
            checked.clear()
            raise KeyboardInterrupt
        return p.Account()

    program = rb.Program("interrupted", setup, {"a": p.locked_deposit}, lambda s, results: checked.append(1))
    result = explore(program, "random", Plan(9))
    assert (result.interrupted, result.executions) == (True, 2)


class Rewarded(Portfolio):
    def pay(self, wanted: str, executions: int) -> dict[str, int]:
        """How often each member had its turn when only the executions of ``wanted`` are worth it."""
        turns: dict[str, int] = {}
        for _ in range(executions):
            self.begin()
            turns[self.member.name] = turns.get(self.member.name, 0) + 1
            self.reward(self.member.name == wanted)
        return turns


@pytest.mark.parametrize("wanted", ["random", "pct", "pos", "surw"])
def test_a_portfolio_gives_most_turns_to_the_member_that_earns_them(wanted: str) -> None:
    turns = Rewarded(0, 2).pay(wanted, 2_000)
    assert turns.pop(wanted) > 1_200
    # And an eighth of that at the least to the others.
    assert len(turns) == 3
    assert all(100 < n < 300 for n in turns.values())


def test_a_portfolio_begins_with_eight_turns_in_thirteen_for_surw() -> None:
    """And with those of all others in between, three of them of POS."""
    turns = Rewarded(0, 2).pay("surw", 13)
    assert turns == {"random": 1, "pct": 1, "pos": 3, "surw": 8}


def test_the_first_turns_of_a_portfolio_are_of_those_who_meet_a_cheap_bug() -> None:
    portfolio = Rewarded(0, 2)
    first = [[*portfolio.pay("", 1)] for _ in range(3)]
    assert first == [["surw"], ["random"], ["pos"]]


def test_surw_counts_what_threads_did_in_the_turns_of_others() -> None:
    """Else each turn of another would be one that it has still to learn from."""
    program = p.abba()
    with Scheduler(program) as scheduler:
        walk = Walk(scheduler, Portfolio(0, len(scheduler.tasks)))
        walk.execute()
        surw = walk.strategy.members[-1]  # type: ignore[attr-defined]
        surw._counts = {}
        walk.execute()
        assert walk.by != "surw"
        assert surw._counts


def test_a_portfolio_that_earns_nothing_starves_nobody() -> None:
    turns = Rewarded(0, 2).pay("", 800)
    assert len(turns) == 4
    assert min(turns.values()) > 100


MINE = '''
from racebench.engine.strategies import Strategy


class Mine(Strategy):
    """The last that can move."""

    def pick(self, enabled, current):
        return enabled[-1]
'''


def test_a_strategy_is_one_new_file_and_goes_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lastmost.py").write_text(MINE)
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
    known = set(strategies.STRATEGIES)
    try:
        found = strategies.discover()
        assert set(found) == known | {"lastmost"}
        monkeypatch.setitem(strategies.STRATEGIES, "lastmost", found["lastmost"])
        result = explore(p.abba(), "lastmost", Plan(3))
        assert set(result.stats["strategies"]) == {"lastmost"}
        assert result.executions == 3
    finally:
        sys.modules.pop("racebench.engine.strategies.lastmost", None)
        vars(strategies).pop("lastmost", None)


def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    with pytest.raises(rb.UsageError, match="Choose one of pct, portfolio, pos, random, surw"):
        explore(p.abba(), "lastmost", Plan(3))
