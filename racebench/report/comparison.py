"""Two runs compared, in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from .compare import MACHINE
from .text import VERDICT_STYLES, clean, count, counted, joined, plain

_MOST, _NAMED = 40, 3
# How often two 95 % intervals of one and the same rate lie apart.
_CHANCE = 0.006
_SPEED = {
    "none": f"no change beyond the machine's own ({MACHINE}x)",
    "higher": "faster",
    "lower": "slower",
}


def show_comparison(console: Console, compared: Mapping[str, Any], base: str, new: str) -> None:
    """What changed, the worst first; what did not, in a line."""
    console.print(Text(f"base: {clean(base)}\nnew:  {clean(new)}"), soft_wrap=True)
    cells, signatures = compared["cells"], compared["signatures"]
    if cells["changed"]:
        _heading(console, "verdicts that changed")
        console.print(_changed(cells["changed"]))
    for key, title, style in (("new", "new signatures", "bold red"), ("vanished", "vanished", "green")):
        if signatures[key]:
            _heading(console, title)
        for one in _first(console, signatures[key]):
            _signature(console, one, style)
    _numbers(console, compared)
    console.print()
    for key in ("added", "removed"):
        if cells[key]:
            console.print(
                Text(f"{key}: {counted(len(cells[key]), 'cell')}: {_names(cells[key])}", style="dim")
            )
    for side in compared["interrupted"]:
        console.print(Text(f"the {side} run was interrupted: it says less than it could", style="yellow"))
    console.print(_verdict(compared))


def _verdict(compared: Mapping[str, Any]) -> Text:
    cells, new = compared["cells"], compared["signatures"]["new"]
    worse = sum(cell["worse"] for cell in cells["changed"])
    fresh = sum(one["regression"] for one in new)
    if compared["regression"]:
        why = [f"{counted(worse, 'cell')} no longer as expected"] if worse else []
        why += [f"{counted(fresh, 'new signature')}"] if fresh else []
        return Text(f"regression: {', '.join(why)}", style="bold red")
    same = cells["both"] - len(cells["changed"])
    text = f"no regression: {count(same)} of {counted(cells['both'], 'cell')} with the same verdict"
    return Text(text, style="bold green")


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Rule(text, align="left", style="dim"))


def _first(console: Console, rows: Sequence[Any]) -> Sequence[Any]:
    if len(rows) > _MOST:
        console.print(Text(f"the first {_MOST} of {len(rows):,}: --json has all", style="dim"))
    return rows[:_MOST]


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _changed(changed: Sequence[Mapping[str, Any]]) -> Table:
    table = _table("cell", "was", "is", "rules")
    for cell in changed[:_MOST]:
        rules = Text("\n").join(
            [*(plain(f"+ {rule}") for rule in cell["appeared"]), *(plain(f"- {r}") for r in cell["gone"])]
        )
        table.add_row(
            Text(f"{clean(cell['scenario'])}\n  x {clean(cell['protocol'])}"),
            _told(cell["base"]),
            _told(cell["new"]),
            rules,
        )
    return table


def _told(verdict: str) -> Text:
    return Text(clean(verdict).replace("_", " "), style=VERDICT_STYLES.get(verdict, ""))


def _signature(console: Console, one: Mapping[str, Any], style: str) -> None:
    console.print(plain(one["signature"], style))
    said = f"{count(one['count'])} times in {_names(one['cells'])}; {clean(one['finding'])}"
    console.print(Padding(Text(said, style="dim"), (0, 0, 0, 4)))


def _names(cells: Sequence[Mapping[str, str]]) -> str:
    """The first few, and how many more."""
    more = f" and {len(cells) - _NAMED:,} more" if len(cells) > _NAMED else ""
    return joined([f"{c['scenario']} x {c['protocol']}" for c in cells[:_NAMED]]) + more


def _numbers(console: Console, compared: Mapping[str, Any]) -> None:
    moved = [rate for rate in compared["rates"] if rate["change"] != "none"]
    if moved:
        failing = sum(1 for r in compared["rates"] if r["base"]["failures"] or r["new"]["failures"])
        chance = f"about {_CHANCE * failing:.1f} would by chance"
        _heading(console, f"failure rates: {len(moved):,} of {failing:,} moved ({chance})")
        table = _table("cell", "was", "is")
        for rate in _first(console, moved):
            cell = Text(f"{clean(rate['scenario'])}\n  x {clean(rate['protocol'])}")
            style = "yellow" if rate["change"] == "higher" else ""
            table.add_row(cell, Text(_rate(rate["base"])), Text(_rate(rate["new"]), style=style))
        console.print(table)
    if compared["schedules"]:
        _heading(console, "number of schedules, proved by both")
        table = _table("cell", "was", "is")
        for one in _first(console, compared["schedules"]):
            name = f"{clean(one['scenario'])} x {clean(one['protocol'])}"
            table.add_row(Text(name), count(one["base"]), count(one["new"]))
        console.print(table)
    lines = list(_speeds(compared["speed"]))
    if lines:
        _heading(console, "speed, over the cells that both ran")
        for line in lines:
            console.print(line)
    still = len(compared["rates"]) - len(moved)
    if still:
        said = f"{counted(still, 'failure rate')} within the noise (95 % intervals overlap)"
        console.print(Text(said, style="dim"))
    if compared["hosts_differ"]:
        console.print(Text("the hosts differ: rates and speeds compare badly", style="yellow"))


def _rate(rate: Mapping[str, Any]) -> str:
    low, high = f"{rate['low']:.2%}", f"{rate['high']:.2%}"
    return f"{rate['rate']:.2%} ({low} to {high})\n{count(rate['failures'])} of {count(rate['tries'])}"


def _speeds(speed: Mapping[str, Any]) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for mode, told in speed.items():
        if not told:
            continue
        text = f"{mode}: {told['base']:,.0f}/s, now {told['new']:,.0f}/s"
        if told["change"] == "unknown":
            text += f"; {counted(told['cells'], 'cell')}: too few to tell change from noise"
        else:
            said = _SPEED[told["change"]]
            text += f"; a cell's ratio {told['ratio']:.2f} ({told['low']:.2f} to {told['high']:.2f}): {said}"
        lines.append(Text(text))
    return lines
