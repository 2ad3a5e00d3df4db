"""What each strategy of an exploration brought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from ..findings import interval
from .text import clean, count

HEADINGS = ("strategy", "executions", "classes", "hits", "rate (95 %)", "missed, depth 1, 2, 3")
_NUMBERS = ("executions", "classes", "hits")

Cell = Mapping[str, Any]


def strategy_rows(cells: Sequence[Cell]) -> list[tuple[str, ...]]:
    """A row of strings a strategy, the one that hits most often first; ``cells`` added up.

    ``classes`` counts the classes of schedules that it was first to find.  The
    miss bound of PCT is told for a single cell: the largest probability that a
    bug of that depth was missed.
    """
    total: dict[str, dict[str, int]] = {}
    bounds: dict[str, list[str]] = {}
    for cell in cells:
        for name, told in _told(cell):
            row = total.setdefault(name, dict.fromkeys(_NUMBERS, 0))
            for number in _NUMBERS:
                row[number] += told[number]
            bounds.setdefault(name, []).append(_bound(told.get("miss_bound")))
    order = sorted(total, key=lambda name: -total[name]["hits"] / max(1, total[name]["executions"]))
    return [
        (
            clean(name),
            *(count(total[name][number]) for number in _NUMBERS),
            _rate(total[name]["hits"], total[name]["executions"]),
            bounds[name][0] if len(bounds[name]) == 1 else "",
        )
        for name in order
    ]


def _told(cell: Cell) -> Iterator[tuple[str, Mapping[str, Any]]]:
    explore = cell.get("explore")
    strategies = explore.get("strategies") if isinstance(explore, Mapping) else None
    if isinstance(strategies, Mapping):
        for name, told in strategies.items():
            if isinstance(told, Mapping) and all(_natural(told.get(number)) for number in _NUMBERS):
                yield name, told


def _natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _rate(hits: int, tries: int) -> str:
    low, high = interval(min(hits, tries), tries)
    return f"{hits / max(1, tries):.1%} ({100 * low:.1f}-{100 * high:.1f})"


def _bound(bounds: Any) -> str:
    if not isinstance(bounds, list) or not all(isinstance(b, (int, float)) for b in bounds):
        return ""
    return ", ".join(f"{b:.1g}" for b in bounds[:3])


def strategies_table(cells: Sequence[Cell]) -> Table | None:
    """The rows as a table for a terminal; None if there are none."""
    rows = strategy_rows(cells)
    if not rows:
        return None
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if 0 < i < len(HEADINGS) - 1 else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(value) for value in row))
    return table
