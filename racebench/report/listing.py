"""Tables of what there is, and of what this machine can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from .text import clean, plain


def listing(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table; every cell is escaped."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=i == 0)
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    return table


def bench_table(measured: Mapping[str, float | None], bars: Mapping[str, tuple[str, bool]]) -> Table:
    """Figures, and for those with a bar whether it is met."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("figure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("bar", overflow="fold")
    for key, value in measured.items():
        shown = "none" if value is None else f"{value:,.3f}" if value < 100 else f"{value:,.0f}"
        bar, met = bars.get(key, ("", True))
        style = "" if not bar else "green" if met else "bold red"
        mark = "" if not bar else "met: " if met else "MISSED: "
        table.add_row(clean(key), shown, Text(mark + bar, style=style))
    return table
