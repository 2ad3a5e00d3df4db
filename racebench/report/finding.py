"""One finding, as a panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .swimlanes import swimlanes
from .text import clean, count, joined, plain

_TITLES = {"mapping": "vIRQs", "descs": "pIRQs", "vcpus": "vCPUs"}


def finding_panel(finding: Mapping[str, Any], path: str = "", *, full: bool = False) -> Panel:
    """The sentence, the ring or the mapping before and after, the schedule, the replay command."""
    evidence = finding["evidence"]
    parts: list[RenderableType] = [plain(finding["summary"], "bold")]
    if evidence.get("ring"):
        parts += [Text(), _ring(evidence["ring"])]
    elif evidence.get("before") != evidence.get("after"):
        parts += [Text(), *_state(evidence.get("before"), evidence.get("after"))]
    if evidence.get("results") and not evidence.get("ring"):
        results = ", ".join(f"{clean(t)} returned {clean(r)}" for t, r in evidence["results"].items())
        parts += [Text(), Text(results)]
    for thread, sites in (evidence.get("stacks") or {}).items():
        parts += [Text(), Text(f"{clean(thread)} was in: " + joined(sites, " > "))]
    if finding["schedule"]:
        parts += [Text(), swimlanes(finding, full=full)]
    parts += [Text(), _footer(finding, path)]
    rule = clean(finding["rule"])
    where = f"{clean(finding['scenario'])} under {clean(finding['protocol'])}"
    return Panel(
        Group(*parts), title=Text(f"{rule}: {where}"), title_align="left", border_style="red", box=box.ROUNDED
    )


def _ring(ring: list[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("thread", "holds", "taken in", "wants", "wanted in"):
        table.add_column(heading, overflow="fold")
    for edge in ring:
        wants = edge["wants"]
        holds = edge["holds"] or [{"lock": "-", "site": "-"}]
        table.add_row(
            plain(edge["thread"], "bold"),
            plain(joined((h["lock"] for h in holds), "\n").replace("\n", " ")),
            plain(joined(h["site"] for h in holds)),
            plain(wants["lock"]),
            plain(wants["site"]),
        )
    return table


def _state(before: Any, after: Any) -> list[RenderableType]:
    """Tables of what changed, one a kind of object; anything else in one line each."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return [plain(f"before: {before}"), plain(f"after:  {after}")]
    shown: list[RenderableType] = []
    for key in after:
        rows_before, rows_after = before.get(key), after[key]
        if rows_before != rows_after and isinstance(rows_after, list) and isinstance(rows_before, list):
            shown.append(_table(_TITLES.get(key, clean(key)), rows_before, rows_after))
    return shown


def _table(title: str, before: list[Any], after: list[Any]) -> Table:
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    columns = [c for c in after[0]] if after and isinstance(after[0], Mapping) else []
    for column in columns:
        table.add_column(Text(clean(column)), overflow="fold")
    for i, row in enumerate(after):
        if not isinstance(row, Mapping):
            continue
        old = before[i] if i < len(before) and isinstance(before[i], Mapping) else {}
        table.add_row(*(_change(old.get(c), row.get(c)) for c in columns))
    return table


def _change(old: Any, new: Any) -> Text:
    if old == new:
        return plain(_value(new), "dim")
    return plain(f"{_value(old)} -> {_value(new)}", "bold yellow")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return joined(value, " ") or "-"
    return "-" if value is None else clean(value)


def _footer(finding: Mapping[str, Any], path: str) -> Text:
    by = finding.get("found_by") or {}
    seen = finding.get("seen") or {by.get("mode", "?"): finding.get("count", 1)}
    times = ", ".join(f"{count(n)} in {clean(mode)}" for mode, n in seen.items())
    text = Text(f"seen:   {times}", style="dim")
    if not finding["schedule"]:
        why = (finding["evidence"].get("reproduced")) or "no schedule"
        text.append(f"\nreplay: not reproduced under control: {clean(why)}", style="yellow")
    elif path:
        text.append(f"\nreplay: racebench replay {clean(path)}", style="not dim bold")
    return text
