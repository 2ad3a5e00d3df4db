"""A schedule as swimlanes: one column a thread, time going down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from .text import clean, counted, field_value, joined

_NARROWEST = 24
_FIELD_OPS = ("read", "write")
_LOOKS = (*_FIELD_OPS, "locked")
_TAKES = ("acquire", "acquire_read", "acquire_write", "release", "release_read", "release_write")

Step = Mapping[str, Any]


def swimlanes(finding: Mapping[str, Any], width: int, *, full: bool = False) -> Table:
    """The steps of ``finding`` in ``width`` columns.

    Each switch starts a new block, headed by the locks that its thread then
    holds.  Unless ``full``, steps that neither touch a lock nor meet another
    thread's are folded.  Too many threads for the width share one column.
    """
    steps = _steps(finding)
    threads = [clean(t) for t in finding.get("threads") or dict.fromkeys(s["thread"] for s in steps)]
    lanes = threads if width // max(1, len(threads)) >= _NARROWEST else []
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=True)
    table.add_column("step", justify="right", style="dim", no_wrap=True)
    for name in lanes:
        table.add_column(Text(name), overflow="fold", ratio=1)
    if not lanes:
        table.add_column("thread", no_wrap=True)
        table.add_column("", overflow="fold", ratio=1)

    def put(number: str, thread: str, text: Text) -> None:
        cells = [Text("") for _ in lanes]
        if not lanes:
            table.add_row(number, Text(thread), text)
        elif thread in lanes:
            cells[lanes.index(thread)] = text
            table.add_row(number, *cells)

    shared = None if full else _meeting(steps)
    first = 1
    for thread, run in groupby(steps, key=lambda s: clean(s["thread"])):
        block = list(run)
        held = joined(block[0]["held"])
        put("", thread, Text(f"── holds {held}" if held else "──", style="magenta"))
        for number, text in _block(block, first, shared):
            put(number, thread, text)
        first += len(block)
    deadlock = finding["rule"].startswith("deadlock.")
    for edge in (finding["evidence"].get("ring") or ()) if deadlock else ():
        wants = f"wants {clean(edge['wants']['lock'])}: blocked for ever"
        put("", clean(edge["thread"]), Text(wants, style="bold red"))
    return table


def _steps(finding: Mapping[str, Any]) -> list[Step]:
    recorded = finding["evidence"].get("steps")
    if recorded:
        return list(recorded)
    bare = {"old": "", "new": "", "held": [], "stack": []}
    return [{**bare, "thread": t, "op": op, "object": obj} for t, op, obj in finding["schedule"]]


def _meeting(steps: Sequence[Step]) -> set[str]:
    """The fields that one thread writes and another touches."""
    touched: dict[str, set[str]] = {}
    for step in steps:
        if step["op"] in _FIELD_OPS:
            touched.setdefault(step["object"], set()).add(step["thread"])
    written = {step["object"] for step in steps if step["op"] == "write"}
    return {name for name in written if len(touched[name]) > 1}


def _block(block: Sequence[Step], first: int, shared: set[str] | None) -> Iterator[tuple[str, Text]]:
    """One thread's uninterrupted run of steps, as (step number, text) rows."""
    call = ""
    dull = 0
    for number, step in enumerate(block, first):
        if shared is not None and _is_dull(step, shared):
            dull += 1
            continue
        if dull:
            yield "", _folded(dull)
            dull = 0
        here = clean(step["stack"][-1]) if step["stack"] else ""
        if here and here != call:
            yield "", Text(f"{here}()", style="cyan")
            call = here
        yield str(number), _shown(step)
    if dull:
        yield "", _folded(dull)


def _is_dull(step: Step, shared: set[str]) -> bool:
    return step["op"] in _LOOKS and step["object"] not in shared


def _folded(steps: int) -> Text:
    return Text(f"  ({counted(steps, 'step')})", style="dim italic")


def _shown(step: Step) -> Text:
    op = clean(step["op"])
    text = Text(f"  {op} {clean(step['object'])}", style="bold" if op in _TAKES else "")
    old, new = field_value(step["old"]), field_value(step["new"])
    if op == "read" and old:
        text.append(f" = {old}", style="dim")
    elif op == "write" and (old or new):
        text.append(f": {old} → {new}", style="yellow")
    return text
