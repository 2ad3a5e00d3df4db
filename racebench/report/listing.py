"""Tables of what there is, and of what this machine can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
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


Told = Sequence[tuple[str, str]]
"""Names of scenarios, and what each is about."""


def scenario_list(groups: Sequence[tuple[str, str, Told]], tags: Mapping[str, int]) -> Group:
    """Each folder's scenarios under a heading with its tag, then the tags and how often each is there."""
    blocks: list[RenderableType] = []
    for folder, what, told in groups:
        blocks += [_heading(f"@{clean(folder)}: {clean(what)}"), _named(told)]
    often = sorted((tag for tag in tags if tags[tag] > 1), key=lambda tag: (-tags[tag], tag))
    once = sorted((tag for tag in tags if tags[tag] == 1), key=lambda tag: (len(tag), tag))
    blocks += [_heading("tags"), Text(", ".join(f"@{clean(tag)} {tags[tag]}" for tag in often))]
    if once:
        blocks.append(Text(f"one scenario each: {', '.join(f'@{clean(tag)}' for tag in once)}"))
    commands = Table.grid(padding=(0, 2))
    commands.add_row(Text("racebench run NAME | @TAG | FILE", style="bold"), "hammers and proves it")
    commands.add_row(Text("racebench list release_guest_irq", style="bold"), "what runs that function of Xen")
    return Group(*blocks, Padding(commands, (1, 0, 0, 0)))


def function_list(cited: Sequence[str], told: Told, past: Told) -> Group:
    """Where Xen has a function, what runs it under any protocol, and past bugs in it."""
    blocks: list[RenderableType] = [Text(f"Xen: {clean(source)}") for source in cited]
    if told:
        blocks += [_heading("what runs it"), _named(told)]
    if past:
        blocks += [_heading("past bugs there"), _named(past)]
    return Group(*blocks)


def _heading(text: str) -> Padding:
    return Padding(Rule(Text(text), align="left", style="dim"), (1, 0, 0, 0))


def _named(told: Told) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for name, what in told:
        table.add_row(plain(name), plain(what))
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
