"""What each strategy of an exploration brought."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..findings import interval
from ..records import Cell
from .text import clean, count, counted, duration, sparkline
from .tree import Column, Fit, Paragraph, Table, note, row, table

_BAR, _FEWEST_CELLS = 10, 3
_NUMBERS = ("executions", "classes", "hits")


def strategies(cells: Sequence[Cell]) -> Table | None:
    """A row a strategy, the one that hits most often first; ``cells`` added up. None if there are none.

    ``classes`` counts the classes of schedules that it was first to find.  The
    miss bound of PCT is told for a single cell: the largest probability that a
    bug of that depth was missed.
    """
    total: dict[str, dict[str, int]] = {}
    bounds: dict[str, list[str]] = {}
    for cell in cells:
        for name, told in _told(cell):
            sums = total.setdefault(name, dict.fromkeys(_NUMBERS, 0))
            for number in _NUMBERS:
                sums[number] += told[number]
            bounds.setdefault(name, []).append(_bound(told.get("miss_bound")))
    classes = max(1, sum(sums["classes"] for sums in total.values()))
    rates = {name: sums["hits"] / max(1, sums["executions"]) for name, sums in total.items()}
    numbers = (Column(title, Fit.NUMBER) for title in (*_NUMBERS, "rate (95 %)"))
    rows = [
        row(
            clean(name),
            *(count(total[name][number]) for number in _NUMBERS),
            _rate(total[name]["hits"], total[name]["executions"]),
            "█" * round(_BAR * total[name]["classes"] / classes),
            bounds[name][0] if len(bounds[name]) == 1 else "",
        )
        for name in sorted(total, key=rates.__getitem__, reverse=True)
    ]
    return (
        table(["strategy", *numbers, Column("of all classes", Fit.WHOLE), "missed, depth 1, 2, 3"], rows)
        if rows
        else None
    )


def first_failures(cells: Sequence[Cell]) -> Iterator[Paragraph]:
    """How long it took to the first failure: cells by powers of ten, for each mode that tells it."""
    for mode, of, said in (("stress", 1000.0, _seconds), ("explore", 1.0, _executions)):
        firsts = [cell.modes[mode].first_failure for cell in cells if mode in cell.modes]
        powers = [max(0, math.floor(math.log10(first * of))) for first in firsts if first and first * of > 0]
        if len(powers) >= _FEWEST_CELLS:
            least, most = min(powers), max(powers)
            bars = sparkline([powers.count(power) for power in range(least, most + 1)])
            span = f"from {said(10**least)} to {said(10 ** (most + 1))}, by powers of ten"
            yield note(f"{mode}: {bars}  {counted(len(powers), 'cell')}, {span}")


def _seconds(milliseconds: int) -> str:
    return duration(milliseconds / 1000)


def _executions(n: int) -> str:
    return counted(n, "execution")


def _told(cell: Cell) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, told in ((cell.explore and cell.explore.strategies) or {}).items():
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
