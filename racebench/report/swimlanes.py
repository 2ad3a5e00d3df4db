"""A schedule as swimlanes: one column a thread, time going down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from .text import clean, plain

_FOLD_FROM = 6
_KEEP = 2
_LOCK_OPS = ("acquire", "release", "acquire_read", "release_read", "acquire_write", "release_write")


def swimlanes(finding: Mapping[str, Any], *, full: bool = False) -> Table:
    """The steps of ``finding``: locks held as bars, values old -> new, switches as rules.

    Runs of reads that no other thread interrupts are folded unless ``full``.
    """
    steps = finding["evidence"].get("steps") or [
        {"thread": t, "op": op, "object": obj, "old": "", "new": "", "held": [], "stack": []}
        for t, op, obj in finding["schedule"]
    ]
    threads = [clean(t) for t in finding.get("threads") or dict.fromkeys(s["thread"] for s in steps)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("step", justify="right", style="dim", no_wrap=True)
    for thread in threads:
        table.add_column(Text(thread), overflow="fold", ratio=1)
    number = 0
    for thread, run in groupby(steps, key=lambda s: clean(s["thread"])):
        rows = list(run)
        if thread not in threads:
            continue
        column = threads.index(thread)
        _add_run(table, rows, number, column, len(threads), full)
        number += len(rows)
        table.add_section()
    return table


def _add_run(
    table: Table, steps: Sequence[Mapping[str, Any]], first: int, column: int, columns: int, full: bool
) -> None:
    """One thread's uninterrupted run of steps."""
    last_call = ""
    at = 0
    while at < len(steps):
        fold = 0 if full else _dull(steps, at)
        cells: list[Text] = [Text("") for _ in range(columns)]
        if fold:
            cells[column] = Text(f"... {fold} reads", style="dim italic")
            table.add_row("", *cells)
            at += fold
            continue
        step = steps[at]
        call = clean(step["stack"][-1]) if step.get("stack") else ""
        if call and call != last_call:
            heading: list[Text] = [Text("") for _ in range(columns)]
            depth = max(0, len(step["stack"]) - 1)
            heading[column] = Text(" " * min(depth, 6) + call + "()", style="cyan")
            table.add_row("", *heading)
            last_call = call
        cells[column] = _cell(step)
        table.add_row(str(first + at + 1), *cells)
        at += 1


def _dull(steps: Sequence[Mapping[str, Any]], at: int) -> int:
    """How many reads from ``at`` on can be folded, leaving some at both ends."""
    if at < _KEEP:
        return 0
    n = 0
    while at + n < len(steps) - _KEEP and steps[at + n]["op"] in ("read", "locked"):
        n += 1
    return n if n >= _FOLD_FROM else 0


def _cell(step: Mapping[str, Any]) -> Text:
    bars = "|" * len(step.get("held") or ())
    text = Text(f"{bars} " if bars else "", style="magenta")
    op = clean(step["op"])
    style = "bold" if op in _LOCK_OPS else ""
    text.append(f"{op} {clean(step['object'])}", style=style)
    old, new = clean(step.get("old", "")), clean(step.get("new", ""))
    if op == "read" and old:
        text.append_text(plain(f" = {old}", "dim"))
    elif op == "write":
        text.append_text(plain(f": {old} -> {new}", "yellow"))
    return text
