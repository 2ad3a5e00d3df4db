"""The report of the differences between two runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from .differences import MACHINE
from .text import clean, count, counted, joined
from .tree import Block, Look, Paragraph, Section, Text, command, lines, note, row, say, spoken, table

_MOST, _NAMED = 40, 3
# The probability that two 95 % intervals of the same rate do not overlap.
_CHANCE = 0.006
_SPEED = {
    "none": f"no change beyond the machine's own ({MACHINE}x)",
    "higher": "faster",
    "lower": "slower",
}


def comparison(compared: Mapping[str, Any], base: str, new: str) -> Iterator[Block]:
    """The changes, the worst first, then one line for what did not change."""
    yield command(base, "base:")
    yield command(new, "new: ")
    cells = compared["cells"]
    yield from _section("verdicts that changed", cells["changed"], _changed)
    yield from _section("new signatures", compared["signatures"]["new"], signatures)
    vanished = partial(signatures, look=Look.GOOD)
    yield from _section("vanished", compared["signatures"]["vanished"], vanished)
    moved = [rate for rate in compared["rates"] if rate["change"] != "none"]
    failing = sum(1 for r in compared["rates"] if r["base"]["failures"] or r["new"]["failures"])
    chance = f"about {_CHANCE * failing:.1f} would by chance"
    yield from _section(f"failure rates: {len(moved):,} of {failing:,} moved ({chance})", moved, _rates)
    yield from _section("number of schedules, proved by both", compared["schedules"], _schedules)
    speeds = [(mode, speed) for mode, speed in compared["speed"].items() if speed]
    yield from _section("speed, over the cells that both ran", speeds, _speeds)
    yield Paragraph()
    yield from _notes(compared, len(compared["rates"]) - len(moved))
    yield _verdict(compared)


def _section(title: str, rows: Sequence[Any], drawn: Any) -> Iterator[Section]:
    if rows:
        first = [f"the first {_MOST} of {len(rows):,}: --json has all"] if len(rows) > _MOST else []
        yield Section(title, [*(note(said, Look.DIM) for said in first), *drawn(rows[:_MOST])])


def _notes(compared: Mapping[str, Any], still: int) -> Iterator[Paragraph]:
    """What did not change, and how far the comparison can be trusted."""
    if still:
        said = f"{counted(still, 'failure rate')} within the noise (95 % intervals overlap)"
        yield note(said, Look.DIM)
    for key in ("added", "removed"):
        cells = compared["cells"][key]
        if cells:
            yield note(f"{key}: {counted(len(cells), 'cell')}: {_names(cells)}", Look.DIM)
    if compared["hosts_differ"]:
        yield note("the hosts differ: rates and speeds compare badly", Look.WARN)
    for side in compared["interrupted"]:
        yield note(f"the {side} run was interrupted: it says less than it could", Look.WARN)


def _verdict(compared: Mapping[str, Any]) -> Paragraph:
    cells = compared["cells"]
    if compared["regression"]:
        worse = sum(cell["worse"] for cell in cells["changed"])
        fresh = sum(one["regression"] for one in compared["signatures"]["new"])
        why = [f"{counted(worse, 'cell')} no longer as expected"] if worse else []
        why += [counted(fresh, "new signature")] if fresh else []
        return note(f"regression: {', '.join(why)}", Look.BAD)
    same = count(cells["both"] - len(cells["changed"]))
    both = counted(cells["both"], "cell")
    return note(f"no regression: {same} of {both} with the same verdict", Look.GOOD)


def _cell(named: Mapping[str, str]) -> Text:
    return lines([say(named["scenario"]), say(f"  x {clean(named['protocol'])}")])


def _changed(cells: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    rows = []
    for cell in cells:
        rules = [f"+ {rule}" for rule in cell["appeared"]] + [f"- {rule}" for rule in cell["gone"]]
        rows.append(row(_cell(cell), spoken(cell["base"]), spoken(cell["new"]), lines(map(say, rules))))
    yield table(["cell", "was", "is", "rules"], rows)


def signatures(rows: Sequence[Mapping[str, Any]], look: Look = Look.BAD) -> Iterator[Block]:
    for one in rows:
        yield note(one["signature"], look)
        said = f"{counted(one['count'], 'time')} in {_names(one['cells'])}; {clean(one['finding'])}"
        yield Paragraph(say(said, Look.DIM), indented=True)


def _names(cells: Sequence[Mapping[str, str]]) -> str:
    """The first few, and how many more."""
    more = f" and {len(cells) - _NAMED:,} more" if len(cells) > _NAMED else ""
    return joined(f"{c['scenario']} x {c['protocol']}" for c in cells[:_NAMED]) + more


def _rates(moved: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    rows = [
        row(
            _cell(rate),
            _rate(rate["base"], Look.PLAIN),
            _rate(rate["new"], Look.WARN if rate["change"] == "higher" else Look.PLAIN),
        )
        for rate in moved
    ]
    yield table(["cell", "was", "is"], rows)


def _rate(rate: Mapping[str, Any], look: Look) -> Text:
    said = f"{rate['rate']:.2%} ({rate['low']:.2%} to {rate['high']:.2%})"
    return lines([say(said, look), say(f"{count(rate['failures'])} of {count(rate['tries'])}", look)])


def _schedules(moved: Sequence[Mapping[str, Any]]) -> Iterator[Block]:
    rows = (row(_cell(one), count(one["base"]), count(one["new"])) for one in moved)
    yield table(["cell", "was", "is"], rows)


def _speeds(speeds: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Block]:
    for mode, speed in speeds:
        text = f"{mode}: {speed['base']:,.0f}/s, now {speed['new']:,.0f}/s"
        if speed["change"] == "unknown":
            text += f"; {counted(speed['cells'], 'cell')}: too few to tell change from noise"
        else:
            ratio = f"a cell's ratio {speed['ratio']:.2f} ({speed['low']:.2f} to {speed['high']:.2f})"
            text += f"; {ratio}: {_SPEED[speed['change']]}"
        yield note(text)
