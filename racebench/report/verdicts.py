"""The verdicts of a run: scenario x protocol."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from ..records import Cell
from . import tree
from .facts import cell_name, codes, done, missing, vacuous, why
from .text import clean, count, counted, joined
from .tree import VERDICTS, Column, Fit, Look, Paragraph, Text, known, lines, note, row, say, spoken

_CODES = {
    "mapping.double_success": "M2",
    "crash.null_handler": "CH",
    "crash.null_desc": "CD",
    "irq.lost_eoi": "IE",
    "irq.wrong_vcpu": "IV",
    "irq.wrong_affinity": "IA",
    "irq.line_dead": "LD",
    "irq.stale_pending": "SP",
    "irq.wrong_owner": "IO",
    "lr.hw_inactive": "HI",
    "lr.stale_index": "SI",
    "lock.irqs_on": "IQ",
    "reservation.leaked": "RL",
    "reservation.missing": "RM",
    "reservation.double_free": "RD",
    "reservation.out_of_bounds": "RO",
    "data_race": "DR",
    "history.not_serializable": "HS",
}
"""Codes of rules whose initials are those of another, or say less."""

_MARKS = {"as_expected": "", "unexpected": "!", "missed": "?", "unknown": "~"}
_LEGEND = ("- clean", "! not expected", "? expected, but not found", "~ no answer in time")
_VACUOUS = "v clean, and vacuous"
FEW = 12
_MOST_ROWS = 40
_HOW_OFTEN = re.compile(r" in (the only execution|all [\d,]+ executions)$")

Anchors = Mapping[tuple[str, str, str], str]
"""(scenario, protocol, rule) -> the anchor of the finding."""


def verdicts(cells: Sequence[Cell], anchors: Anchors) -> Iterator[tree.Block]:
    """What the run says of each cell: those not as expected in full, then all in a matrix.

    Few cells get a row each instead of the matrix.
    """
    if len(cells) <= FEW:
        yield cell_table(cells, anchors)
        return
    surprising = [cell for cell in cells if cell.verdict != "as_expected"]
    if surprising:
        yield note("not as expected", Look.STRONG)
        yield cell_table(surprising, anchors)
        yield Paragraph()
    yield matrix(cells, anchors)
    yield Paragraph()
    rules = sorted({rule for cell in cells for rule in (*cell.found, *missing(cell))})
    yield tree.Legend([say(f"{code_of(rule)} {clean(rule)}", Look.DIM) for rule in rules])
    marks = [*_LEGEND, *([_VACUOUS] if any(cell.vacuous for cell in cells) else ())]
    yield tree.Legend([say(mark, Look.DIM) for mark in marks])
    yield Paragraph()
    fine = [cell for cell in cells if cell.verdict == "as_expected"]
    broken, clear = [c for c in fine if c.found], [c for c in fine if not c.found]
    if 0 < len(broken) <= _MOST_ROWS:
        yield cell_table(broken, anchors)
    elif broken:
        yield note(f"{counted(len(broken), 'cell')} broke as expected{_sum(broken)}")
    idle = [cell for cell in clear if cell.vacuous]
    if clear:
        yield note(f"{counted(len(clear), 'cell')} clean, as expected{_sum(clear)}", Look.GOOD)
    if idle:
        yield Paragraph()
        yield note(f"{counted(len(idle), 'cell')} of them clean because little happened there", Look.WARN)
        rows = list(_little(idle))
        yield tree.table(["", ""], rows[:_MOST_ROWS])
        if len(rows) > _MOST_ROWS:
            yield note(f"and {counted(len(rows) - _MOST_ROWS, 'scenario')} more", Look.DIM)


def _little(cells: Sequence[Cell]) -> Iterator[tree.Row]:
    """Why little happened, once for the protocols of a scenario of which the same is to be said."""
    alike: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        reasons = (_HOW_OFTEN.sub(" in every execution", clean(line)) for line in cell.vacuous)
        alike.setdefault((cell.scenario, *reasons), []).append(cell)
    for (scenario, *why_so), some in alike.items():
        told = [*why_so, f"under {joined(cell.protocol for cell in some)}"]
        instead = [f"try: {clean(some[0].instead)}"] if some[0].instead else []
        yield row(clean(scenario), lines(say(line, Look.DIM) for line in (*told, *instead)))


def _vacuous(cell: Cell) -> Text:
    return lines(say(line, Look.WARN) for line in vacuous(cell))


def _sum(cells: Sequence[Cell]) -> str:
    """What was done for all of ``cells``."""
    stress = [cell.stress for cell in cells if cell.stress]
    proved = sum(cell.verify.complete for cell in cells if cell.verify)
    collisions, failed = sum(s.executions for s in stress), sum(s.failures for s in stress)
    text = f": {counted(collisions, 'collision')}, {count(failed) if failed else 'none'} failed"
    return (text if stress else "") + (f"; {count(proved)} proved, every schedule run" if proved else "")


def cell_table(cells: Sequence[Cell], anchors: Anchors) -> tree.Table:
    """A row a cell, what surprises first."""
    under = (Column("broken rules", under=True), Column("what was done", under=True))
    rows = []
    for cell in sorted(cells, key=lambda c: (c.verdict not in ("unexpected", "missed"), *c.name)):
        did = lines(say(line, Look.DIM) for line in (done(cell), codes(cell)) if line)
        told = (cell_name(cell), spoken(cell.verdict), _rules(cell, anchors), did)
        rows.append(row(*told, verdict=known(cell.verdict)))
    return tree.table(["cell", Column("verdict", Fit.WHOLE), *under], rows)


def _rules(cell: Cell, anchors: Anchors) -> Text:
    """The rules that broke, surprising ones in red, and those that should have."""
    told = []
    for rule in cell.found:
        fine = rule in cell.expected or rule in cell.allowed
        told.append(say(rule, Look.PLAIN if fine else Look.BAD, to=anchors.get((*cell.name, rule), "")))
    told += [say(f"not found: {rule}", Look.WARN) for rule in missing(cell)]
    told += [say(why(cell), Look.BAD)] if why(cell) else []
    told = told or [say("none", Look.DIM)]
    return lines([*told, _vacuous(cell)] if cell.vacuous else told)


def matrix(cells: Sequence[Cell], anchors: Anchors) -> tree.Matrix:
    """Scenarios down, protocols across, a code for each rule that broke."""
    protocols = list(dict.fromkeys(cell.protocol for cell in cells))
    squares = {cell.name: _square(cell, anchors) for cell in cells}
    scenarios = dict.fromkeys(cell.scenario for cell in cells)
    rows = [(clean(s), [squares.get((s, protocol)) for protocol in protocols]) for s in scenarios]
    return tree.Matrix([clean(protocol) for protocol in protocols], rows)


def _square(cell: Cell, anchors: Anchors) -> tree.Square:
    look = VERDICTS.get(cell.verdict, Look.PLAIN)
    if cell.verdict == "as_expected":
        look = Look.CALL if cell.found else Look.DIM
    rules = missing(cell) if cell.verdict == "missed" else cell.found
    told = [say(code_of(r), look, to=anchors.get((*cell.name, r), ""), title=r) for r in rules]
    mark = _MARKS.get(cell.verdict, "")
    title = f"{cell_name(cell)}: {clean(cell.verdict).replace('_', ' ')}; {done(cell)}"
    clear = say("v", Look.WARN) if cell.vacuous else say("-", look)
    text = (say(mark, look) if mark else ()) + (lines(told) or clear)
    return tree.Square(text, known(cell.verdict), title)


def code_of(rule: str) -> str:
    """Two letters for a rule."""
    return _CODES.get(rule) or "".join(part[:1] for part in clean(rule).split(".")[:2]).upper()
