"""The verdict table: scenario x protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from .text import VERDICT_STYLES, clean, count, duration, plain

_MARKS = {"as_expected": "", "unexpected": "!! ", "missed": "?? ", "unknown": ".. "}
LEGEND = "!! a rule broke that is not expected   ?? an expected rule did not   .. no answer within the budget"


def matrix(cells: Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    """One row a cell, grouped by scenario, unexpected cells first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("scenario", overflow="fold", no_wrap=False)
    table.add_column("protocol", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("broken rules", overflow="fold", ratio=1)
    wide = width >= 120
    if wide:
        table.add_column("evidence", overflow="fold")
    last = ""
    for cell in sorted(cells, key=_order):
        scenario = clean(cell["scenario"])
        verdict = clean(cell["verdict"])
        style = VERDICT_STYLES.get(verdict, "")
        if last and scenario != last:
            table.add_section()
        row = [
            Text(scenario if scenario != last else ""),
            plain(cell["protocol"]),
            Text(_MARKS.get(verdict, "") + verdict.replace("_", " "), style=style),
            _rules(cell),
        ]
        table.add_row(*row, *([Text(evidence(cell), style="dim")] if wide else []))
        last = scenario
    return Group(table, Text(LEGEND, style="dim"))


def _order(cell: Mapping[str, Any]) -> tuple[int, str, str]:
    bad = 0 if cell["verdict"] in ("unexpected", "missed") else 1
    return bad, cell["scenario"], cell["protocol"]


def _rules(cell: Mapping[str, Any]) -> Text:
    found, expected = cell.get("found") or [], set(cell.get("expected") or ())
    allowed = set(cell.get("allowed") or ())
    text = Text()
    for rule in found:
        style = "" if rule in expected or rule in allowed else "bold red"
        text.append((", " if text else "") + clean(rule), style=style)
    for rule in sorted(expected - set(found)):
        text.append((", " if text else "") + f"(not found: {clean(rule)})", style="yellow")
    return text or Text("none", style="dim")


def evidence(cell: Mapping[str, Any]) -> str:
    """What was done for this cell, in a line."""
    parts = []
    stress, verify, explore = cell.get("stress"), cell.get("verify"), cell.get("explore")
    if stress:
        text = f"stress {count(stress['collisions'])} collisions, {count(stress['failures'])} failed"
        if stress.get("first_failure_s") is not None:
            text += f", first after {duration(stress['first_failure_s'])}"
        parts.append(text)
    if explore:
        parts.append(f"explore {count(explore['executions'])} executions, {count(explore['failures'])} failed")
    if verify:
        done = "complete" if verify["complete"] else "not complete"
        parts.append(f"verify {count(verify['executions'])} executions, {done}")
    return " · ".join(parts)
