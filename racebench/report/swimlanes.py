"""A schedule as swimlanes in a terminal: one column a thread, time going down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from .lanes import GIVES, TAKES, Kind, Row, rows, threads
from .text import joined

_NARROWEST = 24


def swimlanes(finding: Mapping[str, Any], width: int, *, full: bool = False) -> Table:
    """The steps of ``finding`` in ``width`` columns.

    Each switch starts a new block, headed by the locks that its thread then
    holds.  Too many threads for the width share one column.
    """
    names = threads(finding)
    lanes = names if width // max(1, len(names)) >= _NARROWEST else []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column("step", justify="right", style="dim", no_wrap=True)
    for name in lanes:
        table.add_column(Text(name), overflow="fold", ratio=1)
    if not lanes:
        table.add_column("thread", overflow="fold")
        table.add_column("", overflow="fold", ratio=1)
    for row in rows(finding, full=full):
        number, text = str(row.number or ""), _shown(row)
        if not lanes:
            table.add_row(number, Text(row.thread), text)
        elif row.thread in lanes:
            cells = [Text("") for _ in lanes]
            cells[lanes.index(row.thread)] = text
            table.add_row(number, *cells)
    return table


def _shown(row: Row) -> Text:
    if row.kind is Kind.SWITCH:
        return Text(f"── holds {joined(row.held)}" if row.held else "──", style="magenta")
    if row.kind is Kind.CALL:
        return Text(row.text, style="cyan")
    if row.kind is Kind.FOLDED:
        return Text(f"  {row.text}", style="dim italic")
    if row.kind is Kind.WANTS:
        return Text(row.text, style="bold red")
    text = Text(f"  {row.text}", style="bold" if row.op in (*TAKES, *GIVES) else "")
    return text.append(row.value, style="yellow" if row.op == "write" else "dim")
