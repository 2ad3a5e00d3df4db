"""The table of strategies."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.errors import ResultError
from racebench.records import Cell
from racebench.report.strategies import strategies

from .samples import ESC, EVIL, a_cell, printed


def entry(executions: int, classes: int, hits: int, **more: Any) -> dict[str, Any]:
    return {"executions": executions, "classes": classes, "hits": hits, **more}


def explored(**entries: Any) -> Cell:
    return a_cell(explore={"executions": 9, "failures": 1, "strategies": entries})


def rows(*cells: Cell) -> list[tuple[str, ...]]:
    table = strategies(cells)
    return [
        tuple("".join(s.text for s in text) for text in row.cells) for row in (table.rows if table else ())
    ]


PCT = entry(100, 1, 24, miss_bound=[2e-13, 0.505, 0.979])


def test_each_strategy_with_its_rate_interval_and_bound() -> None:
    first, second = rows(explored(pct=PCT, random=entry(1_000, 3, 960)))
    assert first == ("random", "1,000", "3", "960", "96.0% (94.6-97.0)", "")
    assert second == ("pct", "100", "1", "24", "24.0% (16.7-33.2)", "2e-13, 0.5, 1")


def test_cells_are_added_up_but_not_their_bounds() -> None:
    [row] = rows(explored(pct=PCT), explored(pct=PCT))
    assert row[1:4] == ("200", "2", "48") and row[-1] == ""


def test_nothing_without_an_exploration() -> None:
    assert strategies([a_cell()]) is None


@pytest.mark.parametrize("bad", [7, {}, {**entry(1, 1, 1), "hits": "9"}, entry(5, 1, 9, miss_bound=["x"])])
def test_what_is_not_as_written_is_refused(bad: Any) -> None:
    with pytest.raises(ResultError, match="strategies"):
        explored(random=bad)


def test_nothing_in_a_file_is_obeyed() -> None:
    table = strategies([explored(**{EVIL: entry(5, 1, 9)})])
    assert table is not None
    assert ESC not in printed(table, 80)
