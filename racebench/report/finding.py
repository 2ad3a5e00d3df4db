"""One finding, as a panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from . import facts
from .lanes import functions, rows
from .proofs import proofs
from .swimlanes import swimlanes
from .text import clean, joined, plain

_FRAME = 4


def finding_panel(
    finding: Mapping[str, Any],
    path: str,
    width: int,
    *,
    also: Sequence[str] = (),
    history: str = "",
    full: bool = False,
) -> Panel:
    """The sentence, who holds what or what changed, the schedule, the replay command.

    ``also`` names the other cells with the same signature, ``history`` says in
    which runs it was seen; ``width`` is the console's.
    """
    body = finding_body(finding, width - _FRAME, full=full)
    foot = Padding(_footer(finding, path, also, history), (1, 0, 0, 0))
    title = Text(f"{clean(finding['rule'])}: {facts.cell_name(finding)}")
    return Panel(Group(body, foot), title=title, title_align="left", border_style="red", box=box.ROUNDED)


def finding_body(finding: Mapping[str, Any], width: int, *, full: bool = False) -> Group:
    """All but the frame and what was counted."""
    blocks: list[RenderableType] = [plain(facts.sentence(finding), "bold")]
    waits = facts.waits(finding)
    if waits:
        blocks.append(_waits(waits))
    changes = facts.changes(finding)
    if changes:
        blocks.append(Group(*(_changed(table) for table in changes)))
    blocks += [Text(note, style="dim") for note in facts.notes(finding)]
    if finding["schedule"]:
        blocks.append(swimlanes(finding, width, full=full))
        cited = facts.stands_for(finding, functions(rows(finding, full=full)))
        if cited:
            blocks.append(_cited(cited))
    known = proofs(finding)
    if known:
        blocks.append(Group(*known))
    return Group(*(Padding(b, (1 if i else 0, 0, 0, 0)) for i, b in enumerate(blocks)))


def _waits(waits: Sequence[facts.Wait]) -> Table:
    """Who holds what, taken where, and wants what, where."""
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    last = ""
    for wait in waits:
        wants = wait.verb == "wants"
        name = Text("" if wait.thread == last else wait.thread, style="bold")
        lock = Text(wait.lock, style="bold red" if wants else "magenta")
        place = Text(wait.place)
        if wait.source:
            place.append(f"\nXen: {wait.source}", style="dim")
        table.add_row(name, Text(wait.verb, style="red" if wants else ""), lock, place)
        last = wait.thread
    return table


def _cited(cited: Sequence[tuple[str, str]]) -> Table:
    """The functions of the model and those of Xen that they stand for."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for function, source in cited:
        table.add_row(Text(function), Text(f"Xen: {source}"))
    return table


def _changed(changed: facts.Changed) -> RenderableType:
    """A table of what changed; a single value in a line."""
    if changed.columns == [""]:
        [[(old, new)]] = changed.rows
        return Text(f"{changed.title}: {old} → {new}")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column(Text(changed.title), style="dim")
    for column in changed.columns:
        table.add_column(Text(column), overflow="fold")
    for row in changed.rows:
        table.add_row("", *(_change(old, new) for old, new in row))
    return table


def _change(old: str, new: str) -> Text:
    return Text(new, style="dim") if old == new else Text(f"{old} → {new}", style="bold yellow")


def _footer(finding: Mapping[str, Any], path: str, also: Sequence[str], history: str) -> Text:
    text = Text("seen:   " + facts.seen(finding))
    if history:
        text.append(f"\n        {history}")
    if also:
        text.append(f"\nalso:   {joined(also)}", style="dim")
    command = facts.replay_command(finding, path)
    if not finding["schedule"]:
        text.append(f"\nreplay: {facts.not_replayable(finding)}", style="yellow")
    elif command:
        text.append(f"\nreplay: {command}", style="bold")
    return text
