"""The verdict table: scenario x protocol."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .text import VERDICT_STYLES, clean, count, counted, duration, plain, why

CODES = {
    "deadlock.cycle": "DC",
    "deadlock.self": "DS",
    "deadlock.wait": "DW",
    "lock_order.inversion": "LI",
    "mapping.corrupted": "MC",
    "mapping.double_success": "M2",
    "mapping.lost_enable": "ML",
    "mapping.ienable_mismatch": "MI",
    "crash.null_handler": "CH",
    "crash.null_desc": "CD",
    "crash.assertion": "CA",
    "irq.lost_eoi": "IE",
    "irq.wrong_vcpu": "IV",
    "irq.wrong_affinity": "IA",
    "irq.stuck_inprogress": "IS",
    "list.corrupted": "LC",
    "lock.leaked": "LL",
    "lock.misuse": "LM",
    "data_race": "DR",
    "stall.livelock": "SL",
    "stall.hang": "SH",
    "history.not_serializable": "HS",
    "program.error": "PE",
}
MARKS = {"as_expected": "", "unexpected": "!", "missed": "?", "unknown": "~"}
MARK_LEGEND = ("- clean", "! not expected", "? expected, but not found", "~ no answer in time")
CELL_ROWS, _WIDE, _NAME, _GAP = 12, 120, 26, 2
_MOST_ROWS = 40


def matrix(cells: Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    """What the run says of each cell: those not as expected in full, then all in a grid.

    Few cells get a row each instead of the grid.
    """
    if len(cells) <= CELL_ROWS:
        return _rows(sorted(cells, key=order), width)
    surprising = [c for c in sorted(cells, key=order) if c["verdict"] != "as_expected"]
    parts: list[RenderableType] = []
    if surprising:
        parts += [Text("not as expected", style="bold"), _rows(surprising, width), Text()]
    parts += [grid(cells, width), Text(), legend(cells), Text(), _done(cells, width)]
    return Group(*parts)


def order(cell: Mapping[str, Any]) -> tuple[int, str, str]:
    """Sorts what surprises first."""
    bad = 0 if cell["verdict"] in ("unexpected", "missed") else 1
    return bad, cell["scenario"], cell["protocol"]


def _names(cells: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(clean(c[key]) for c in cells))


def _letters(protocols: Sequence[str]) -> dict[str, str]:
    """A short column heading for each protocol."""
    return {p: chr(ord("a") + i) if i < 26 else str(i + 1) for i, p in enumerate(protocols)}


def grid(cells: Sequence[Mapping[str, Any]], width: int) -> Group:
    """Scenarios down, protocols across, a code for each rule that broke.

    Protocols that do not fit into ``width`` columns go into another grid below.
    """
    scenarios, protocols = _names(cells, "scenario"), _names(cells, "protocol")
    letters = _letters(protocols)
    known = {(clean(c["scenario"]), clean(c["protocol"])): c for c in cells}
    codes = {(s, p): _code(known.get((s, p))) for s in scenarios for p in protocols}
    name = min(_NAME, width // 2, max(map(len, scenarios)))
    wide = {p: max(len(letters[p]), *(_width(codes[s, p]) for s in scenarios)) for p in protocols}
    parts: list[RenderableType] = []
    for chunk in _chunks(wide, width - name):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("scenario", overflow="fold", min_width=name)
        for protocol in chunk:
            table.add_column(letters[protocol], justify="left")
        for scenario in scenarios:
            table.add_row(Text(scenario), *(codes[scenario, protocol] for protocol in chunk))
        parts += [Text(), table] if parts else [table]
    return Group(*parts)


def _width(code: Text) -> int:
    return max(line.cell_len for line in code.split("\n", allow_blank=True))


def _chunks(wide: Mapping[str, int], room: int) -> list[list[str]]:
    """The columns in rows of at most ``room``, a gap before each."""
    chunks: list[list[str]] = []
    left = 0
    for name, width in wide.items():
        if not chunks or width + _GAP > left:
            chunks.append([])
            left = room
        chunks[-1].append(name)
        left -= width + _GAP
    return chunks


def code_of(rule: str) -> str:
    """Two letters for a rule; one that is not ours gets its initials."""
    return CODES.get(rule) or "".join(part[:1] for part in clean(rule).split(".")[:2]).upper()


def _code(cell: Mapping[str, Any] | None) -> Text:
    if cell is None:
        return Text(" ")
    verdict = clean(cell["verdict"])
    rules = missing(cell) if verdict == "missed" else cell["found"]
    codes = "\n".join(code_of(rule) for rule in rules) or "-"
    style = VERDICT_STYLES.get(verdict, "")
    if verdict == "as_expected":
        style = "dim" if codes == "-" else "cyan"
    return Text(MARKS.get(verdict, "") + codes, style=style)


def legend(cells: Sequence[Mapping[str, Any]]) -> Group:
    """What the letters, codes and marks of the grid mean."""
    letters = _letters(_names(cells, "protocol"))
    rules = sorted({rule for c in cells for rule in (*c["found"], *missing(c))})
    return Group(
        Columns([Text(f"{letter} {protocol}", style="dim") for protocol, letter in letters.items()]),
        Columns([Text(f"{code_of(rule)} {clean(rule)}", style="dim") for rule in rules]),
        Columns([Text(mark, style="dim") for mark in MARK_LEGEND]),
    )


def _rows(cells: Sequence[Mapping[str, Any]], width: int) -> Table:
    """A row a cell."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("scenario", overflow="fold")
    table.add_column("protocol", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("broken rules", overflow="fold", ratio=1)
    wide = width >= _WIDE
    if wide:
        table.add_column("evidence", overflow="fold", ratio=1)
    last = ""
    for cell in cells:
        scenario, verdict = clean(cell["scenario"]), clean(cell["verdict"])
        done = Text(evidence(cell), style="dim")
        row = [
            Text(scenario if scenario != last else ""),
            plain(cell["protocol"]),
            Text(verdict.replace("_", " "), style=VERDICT_STYLES.get(verdict, "")),
            _rules(cell) if wide else _rules(cell).append("\n").append_text(done),
        ]
        table.add_row(*row, *([done] if wide else []))
        last = scenario
    return table


def _rules(cell: Mapping[str, Any], separator: str = "\n") -> Text:
    """The rules that broke, surprising ones in red, and those that should have."""
    text = Text()
    for rule in cell["found"]:
        fine = rule in cell["expected"] or rule in cell["allowed"]
        text.append((separator if text else "") + clean(rule), style="" if fine else "bold red")
    for rule in missing(cell):
        text.append((separator if text else "") + f"(not found: {clean(rule)})", style="yellow")
    if why(cell):
        text.append((separator if text else "") + clean(why(cell)), style="bold red")
    return text or Text("none", style="dim")


def missing(cell: Mapping[str, Any]) -> list[str]:
    return [rule for rule in cell["expected"] if rule not in cell["found"]]


def _done(cells: Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    """What was done for the cells that broke what they should; the clean ones in a line."""
    wide = width >= _WIDE
    table = Table.grid(padding=(0, 2))
    lines: list[RenderableType] = [table] if wide else []
    for name, cell in _told([c for c in cells if c["verdict"] == "as_expected" and c["found"]]):
        done = Text(evidence(cell), style="dim")
        if wide:
            table.add_row(name, _rules(cell, ", "), done)
        else:
            lines += [name.append(": ").append_text(_rules(cell, ", ")), Padding(done, (0, 0, 0, 4))]
    fine = [c for c in cells if c["verdict"] == "as_expected" and not c["found"]]
    return Group(*lines, *([_clean_line(fine)] if fine else []))


def _told(cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Text, Mapping[str, Any]]]:
    """Each cell with its name; too many for a screen are put together by scenario and rules."""
    if len(cells) <= _MOST_ROWS:
        for cell in cells:
            yield Text(f"{clean(cell['scenario'])} x {clean(cell['protocol'])}"), cell
        return
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell in cells:
        alike.setdefault((cell["scenario"], *cell["found"]), []).append(cell)
    for group in alike.values():
        yield Text(f"{clean(group[0]['scenario'])} x {counted(len(group), 'protocol')}"), _together(group)


def _together(cells: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What was done for all of ``cells``, as if they were one."""
    total: dict[str, Any] = {**cells[0]}
    for mode in ("stress", "verify", "explore"):
        done = [cell[mode] for cell in cells if cell.get(mode)]
        if not done:
            continue
        added = {k: sum(d[k] for d in done) for k in ("collisions", "executions", "failures") if k in done[0]}
        total[mode] = {**done[0], **added}
        first = [d["first_failure_s"] for d in done if d.get("first_failure_s") is not None]
        if mode == "stress":
            total[mode]["first_failure_s"] = min(first, default=None)
        if mode == "verify":
            # The one that says least, if one is not complete.
            least = min(done, key=lambda d: bool(d["complete"]))
            total[mode] = {**least, **added}
    return total


def _clean_line(cells: Sequence[Mapping[str, Any]]) -> Text:
    text = f"{counted(len(cells), 'cell')} clean, as expected"
    collisions = sum(c["stress"]["collisions"] for c in cells if c.get("stress"))
    if collisions:
        text += f": {counted(collisions, 'collision')}, none failed"
    proved = sum(1 for c in cells if c.get("verify") and c["verify"]["complete"])
    if proved:
        text += f"; {count(proved)} proved, every schedule run"
    return Text(text, style="green")


def evidence(cell: Mapping[str, Any]) -> str:
    """What was done for this cell, in a line."""
    parts = []
    stress, verify, explore = cell.get("stress"), cell.get("verify"), cell.get("explore")
    if stress:
        text = f"stress {counted(stress['collisions'], 'collision')}, {count(stress['failures'])} failed"
        if stress.get("first_failure_s") is not None:
            text += f", first after {duration(stress['first_failure_s'])}"
        parts.append(text)
    if explore:
        executions, failures = counted(explore["executions"], "execution"), count(explore["failures"])
        parts.append(f"explore {executions}, {failures} failed")
    if verify:
        parts.append(f"verify {counted(verify['executions'], 'execution')}, {_extent(verify)}")
    return " · ".join(parts)


def _extent(verify: Mapping[str, Any]) -> str:
    if verify["complete"]:
        return "complete"
    bound, done = verify.get("preemption_bound"), verify.get("done")
    said = []
    if isinstance(bound, int):
        said.append(f"all with up to {counted(bound, 'preemption')}")
    if isinstance(done, float) and done < 1:
        said.append(f"about {done:.0%} of all schedules")
    return ", ".join(said) or "not complete"
