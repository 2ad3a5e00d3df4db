"""One finding, as a panel."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .proofs import proofs
from .swimlanes import swimlanes
from .text import clean, count, joined, plain

_TITLES = {"mapping": "vIRQs", "descs": "pIRQs", "vcpus": "vCPUs"}
_FRAME = 4


def finding_panel(
    finding: Mapping[str, Any],
    path: str,
    width: int,
    *,
    also: Sequence[str] = (),
    full: bool = False,
) -> Panel:
    """The sentence, who holds what or what changed, the schedule, the replay command.

    ``also`` names the other cells with the same signature; ``width`` is the
    console's.
    """
    evidence = finding["evidence"]
    blocks: list[RenderableType] = [plain(sentence(finding), "bold")]
    waits = evidence.get("ring") or evidence.get("waiting")
    if waits:
        blocks.append(_waits(waits))
    elif evidence.get("before") != evidence.get("after"):
        blocks.append(Group(*_state(evidence.get("before"), evidence.get("after"))))
    if evidence.get("results") and not waits:
        results = (f"{clean(t)} returned {clean(r)}" for t, r in evidence["results"].items())
        blocks.append(Text(", ".join(results), style="dim"))
    for thread, sites in (evidence.get("stacks") or {}).items():
        blocks.append(Text(f"{clean(thread)} was in: " + joined(sites, " > ")))
    if finding["schedule"]:
        blocks.append(swimlanes(finding, width - _FRAME, full=full))
    known = proofs(finding)
    if known:
        blocks.append(Group(*known))
    blocks.append(_footer(finding, path, also))
    spaced = [Padding(b, (1 if i else 0, 0, 0, 0)) for i, b in enumerate(blocks)]
    title = Text(f"{clean(finding['rule'])}: {clean(finding['scenario'])} x {clean(finding['protocol'])}")
    return Panel(Group(*spaced), title=title, title_align="left", border_style="red", box=box.ROUNDED)


def sentence(finding: Mapping[str, Any]) -> str:
    """What happened, in one sentence; a ring's detail is in its table."""
    ring = finding["evidence"].get("ring")
    if ring and len(ring) > 1:
        names = [clean(edge["thread"]) for edge in ring]
        others = ", ".join(names[:-1])
        if finding["rule"] == "lock_order.inversion":
            classes = [clean(edge["wants"].get("class", "?")) for edge in ring]
            return f"{others} and {names[-1]} take {' and '.join(classes)} in different orders"
        return f"{others} and {names[-1]} wait for one another: none of them ever goes on"
    return clean(finding["summary"])


def _waits(edges: Sequence[Mapping[str, Any]]) -> Table:
    """Who holds what, taken where, and wants what, where."""
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for edge in edges:
        name = plain(edge["thread"], "bold")
        for held in edge["holds"]:
            lock = plain(held["lock"], "magenta")
            table.add_row(name, Text("holds"), lock, plain(f"taken in {held['site']}"))
            name = Text("")
        wants = edge["wants"]
        holder = f", held by {clean(edge['holder'])}" if edge.get("holder") else ""
        place = plain(f"in {wants['site']}{holder}")
        table.add_row(name, Text("wants", style="red"), plain(wants["lock"], "bold red"), place)
    return table


def _state(before: Any, after: Any) -> list[RenderableType]:
    """Tables of what changed, one a kind of object; anything else in one line each."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return [plain(f"before: {before}"), plain(f"after:  {after}")]
    shown: list[RenderableType] = []
    for key in after:
        old, new = before.get(key), after[key]
        if old == new:
            continue
        if isinstance(old, list) and isinstance(new, list) and all(isinstance(row, Mapping) for row in new):
            shown.append(_table(_TITLES.get(key, clean(key)), old, new))
        else:
            shown.append(plain(f"{key}: {_value(old)} → {_value(new)}"))
    return shown


def _table(title: str, before: list[Any], after: list[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    columns = list(after[0]) if after else []
    table.add_column(title, style="dim")
    for column in columns:
        table.add_column(Text(clean(column)), overflow="fold")
    for i, row in enumerate(after):
        old = before[i] if i < len(before) and isinstance(before[i], Mapping) else {}
        table.add_row("", *(_change(old.get(c), row.get(c)) for c in columns))
    return table


def _change(old: Any, new: Any) -> Text:
    if old == new:
        return plain(_value(new), "dim")
    return Text(f"{_value(old)} → {_value(new)}", style="bold yellow")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return joined(value, " ") or "-"
    return "-" if value is None else clean(value)


def _footer(finding: Mapping[str, Any], path: str, also: Sequence[str]) -> Text:
    by = finding.get("found_by") or {}
    seen = finding.get("seen") or {by.get("mode", "?"): finding.get("count", 1)}
    text = Text("seen:   " + ", ".join(f"{count(n)} in {clean(mode)}" for mode, n in seen.items()))
    if also:
        text.append(f"\nalso:   {joined(also)}", style="dim")
    if not finding["schedule"]:
        why = clean(finding["evidence"].get("not_reproduced", "no schedule"))
        text.append(f"\nreplay: not reproduced: {why}", style="yellow")
    elif path:
        command = shlex.join(["racebench", "replay", path, *(finding.get("replay_args") or ())])
        text.append(f"\nreplay: {clean(command)}", style="bold")
    return text
