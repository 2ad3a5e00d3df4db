"""The results of each strategy of an exploration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..findings import interval
from ..records import Cell
from .text import clean, count
from .tree import Column, Fit, Table, row, table

_NUMBERS = ("executions", "classes", "hits")


def strategies(cells: Sequence[Cell]) -> Table | None:
    """A row for each strategy, summed over ``cells``, the highest hit rate first; None if there are none.

    ``classes`` counts the classes of schedules that it was the first to find.  The
    miss bound of PCT is shown only for a single cell: the largest probability that a
    bug of that depth was missed.
    """
    total: dict[str, dict[str, int]] = {}
    bounds: dict[str, list[str]] = {}
    for cell in cells:
        for name, counts in _counts(cell):
            sums = total.setdefault(name, dict.fromkeys(_NUMBERS, 0))
            for number in _NUMBERS:
                sums[number] += counts[number]
            bounds.setdefault(name, []).append(_bound(counts.get("miss_bound")))
    rates = {name: sums["hits"] / max(1, sums["executions"]) for name, sums in total.items()}
    numbers = (Column(title, Fit.NUMBER) for title in (*_NUMBERS, "rate (95 %)"))
    rows = [
        row(
            clean(name),
            *(count(total[name][number]) for number in _NUMBERS),
            _rate(total[name]["hits"], total[name]["executions"]),
            bounds[name][0] if len(bounds[name]) == 1 else "",
        )
        for name in sorted(total, key=rates.__getitem__, reverse=True)
    ]
    return table(["strategy", *numbers, "missed, depth 1, 2, 3"], rows) if rows else None


def classes(cells: Sequence[Cell]) -> dict[str, int]:
    """How many classes of schedules each strategy was the first to find."""
    found: dict[str, int] = {}
    for cell in cells:
        for name, counts in _counts(cell):
            found[clean(name)] = found.get(clean(name), 0) + counts["classes"]
    return found


def _counts(cell: Cell) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from ((cell.explore and cell.explore.strategies) or {}).items()


def _rate(hits: int, tries: int) -> str:
    low, high = interval(min(hits, tries), tries)
    return f"{hits / max(1, tries):.1%} ({100 * low:.1f}-{100 * high:.1f})"


def _bound(bounds: Sequence[float] | None) -> str:
    return ", ".join(f"{b:.1g}" for b in (bounds or ())[:3])
