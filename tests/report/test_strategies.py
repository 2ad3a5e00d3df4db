"""The table of strategies."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.report.strategies import strategies_table, strategy_rows

from .samples import ESC, EVIL, cell, printed


def told(executions: int, classes: int, hits: int, **more: Any) -> dict[str, Any]:
    return {"executions": executions, "classes": classes, "hits": hits, **more}


def explored(**strategies: Any) -> dict[str, Any]:
    return {**cell("route"), "explore": {"executions": 9, "failures": 1, "strategies": strategies}}


PCT = told(100, 1, 24, miss_bound=[2e-13, 0.505, 0.979])


def test_each_strategy_with_its_rate_interval_and_bound() -> None:
    rows = strategy_rows([explored(pct=PCT, random=told(1_000, 3, 960))])
    assert rows[0] == ("random", "1,000", "3", "960", "96.0% (94.6-97.0)", "")
    assert rows[1] == ("pct", "100", "1", "24", "24.0% (16.7-33.2)", "2e-13, 0.5, 1")


def test_cells_are_added_up_but_not_their_bounds() -> None:
    [row] = strategy_rows([explored(pct=PCT), explored(pct=PCT)])
    assert row[1:4] == ("200", "2", "48") and row[-1] == ""


def test_nothing_without_an_exploration() -> None:
    assert strategies_table([cell("route")]) is None


@pytest.mark.parametrize(
    "bad",
    [7, [], {"random": 7}, {"random": {}}, {"random": told(-1, 0, 0)}, {"random": told(True, 0, 0)},
     {"random": {**told(1, 1, 1), "hits": "9"}}],
)  # fmt: skip
def test_what_is_not_as_written_is_left_out(bad: Any) -> None:
    assert strategy_rows([{**cell("route"), "explore": {"strategies": bad}}]) == []


def test_nothing_in_a_file_is_obeyed() -> None:
    table = strategies_table([explored(**{EVIL: told(5, 1, 9, miss_bound=["x"])})])
    assert table is not None
    assert ESC not in printed(table, 80)
