"""The verdicts of a run: scenario x protocol."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from ..records import Cell
from . import tree
from .facts import cell_name, codes, done, missing, vacuous, why
from .rules import family, gravity, word
from .text import clean, count, counted, joined
from .tree import Column, Fit, Look, Paragraph, Text, known, lines, note, row, say, spoken

_MARKS = {
    "-": "- clean",
    "!": "! not expected",
    "?": "? expected, but not found",
    "…": "… no answer",
    "(": "(...) proved unreachable, or little happened",
}
FEW = 12
_MOST_ROWS = 40
_HOW_OFTEN = re.compile(r" in (the only execution|all [\d,]+ executions)$")

Key = tuple[str, str, str]
Anchors = Mapping[Key, str]
"""(scenario, protocol, rule) -> the anchor of the finding."""


def verdicts(
    cells: Sequence[Cell], anchors: Anchors, unreachable: Collection[Key] = ()
) -> Iterator[tree.Block]:
    """The verdicts of all cells: those not as expected in full, then all in a matrix.

    Few cells get a row each instead of the matrix.  ``unreachable`` are predictions proved never
    to happen.
    """
    if len(cells) <= FEW:
        yield cell_table(cells, anchors)
        return
    surprising = [cell for cell in cells if cell.verdict != "as_expected"]
    if surprising:
        yield note("not as expected", Look.STRONG)
        yield cell_table(surprising, anchors)
        yield Paragraph()
    yield from at_a_glance(cells, anchors, unreachable)
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
        yield note(f"{count(len(idle))} of them {_are(idle)} clean only because little happened:", Look.WARN)
        rows = list(_little(idle))
        yield tree.table(["", ""], rows[:_MOST_ROWS])
        if len(rows) > _MOST_ROWS:
            yield note(f"and {counted(len(rows) - _MOST_ROWS, 'scenario')} more", Look.DIM)


def _are(cells: Sequence[Cell]) -> str:
    return "is" if len(cells) == 1 else "are"


def _little(cells: Sequence[Cell]) -> Iterator[tree.Row]:
    """Why little happened; protocols with the same reasons in a scenario share a row."""
    alike: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        reasons = (_HOW_OFTEN.sub(" in every execution", clean(line)) for line in cell.vacuous)
        alike.setdefault((cell.scenario, *reasons), []).append(cell)
    for (scenario, *why_so), some in alike.items():
        causes = [*why_so, f"under {joined(cell.protocol for cell in some)}"]
        instead = [f"try: {clean(some[0].instead)}"] if some[0].instead else []
        yield row(clean(scenario), lines(say(line, Look.DIM) for line in (*causes, *instead)))


def _vacuous(cell: Cell) -> Text:
    return lines(say(line, Look.WARN) for line in vacuous(cell))


def _sum(cells: Sequence[Cell]) -> str:
    """What was run for all of ``cells``."""
    stress = [cell.stress for cell in cells if cell.stress]
    proved = sum(cell.verify.complete for cell in cells if cell.verify)
    collisions, failed = sum(s.executions for s in stress), sum(s.failures for s in stress)
    text = f": {counted(collisions, 'collision')}, {count(failed) if failed else 'none'} failed"
    return (text if stress else "") + (f"; every schedule of {count(proved)} was searched" if proved else "")


def cell_table(cells: Sequence[Cell], anchors: Anchors) -> tree.Table:
    """A row for each cell, surprising ones first."""
    under = (Column("broken rules", under=True), Column("what was done", under=True))
    rows = []
    for cell in sorted(cells, key=lambda c: (c.verdict not in ("unexpected", "missed"), *c.name)):
        did = lines(say(line, Look.DIM) for line in (done(cell), codes(cell)) if line)
        columns = (cell_name(cell), spoken(cell.verdict), _rules(cell, anchors), did)
        rows.append(row(*columns, verdict=known(cell.verdict)))
    return tree.table(["cell", Column("verdict", Fit.WHOLE), *under], rows)


def _rules(cell: Cell, anchors: Anchors) -> Text:
    """The rules that broke, unexpected ones in red, and the expected rules that did not break."""
    texts = []
    for rule in cell.found:
        fine = rule in cell.expected or rule in cell.allowed
        texts.append(say(rule, Look.PLAIN if fine else Look.BAD, to=anchors.get((*cell.name, rule), "")))
    texts += [say(f"not found: {rule}", Look.WARN) for rule in missing(cell)]
    texts += [say(why(cell), Look.BAD)] if why(cell) else []
    texts = texts or [say("none", Look.DIM)]
    return lines([*texts, _vacuous(cell)] if cell.vacuous else texts)


def at_a_glance(
    cells: Sequence[Cell], anchors: Anchors, unreachable: Collection[Key]
) -> Iterator[tree.Block]:
    """The matrix, and what its words and signs mean; nothing for a single cell."""
    if len(cells) < 2:
        return
    shown = matrix(cells, anchors, unreachable)
    yield shown
    yield Paragraph()
    rules = sorted({rule for cell in cells for rule in (*cell.found, *missing(cell))}, key=_by_gravity)
    if rules:
        yield tree.Legend([say(f"{word(rule)}: {clean(rule)}", Look.DIM) for rule in rules])
    used = {span.text[:1] for _, row in shown.rows for square in row if square for span in square.text}
    yield tree.Legend([say(said, Look.DIM) for mark, said in _MARKS.items() if mark in used])


def _by_gravity(rule: str) -> tuple[int, str]:
    return gravity(rule), rule


def matrix(cells: Sequence[Cell], anchors: Anchors, unreachable: Collection[Key] = ()) -> tree.Matrix:
    """Scenarios down, grouped by tag, protocols across; a word for each rule that broke."""
    protocols = list(dict.fromkeys(cell.protocol for cell in cells))
    squares = {cell.name: _square(cell, anchors, unreachable) for cell in cells}
    groups = _groups(cells)
    scenarios = sorted(groups, key=lambda scenario: list(groups.values()).index(groups[scenario]))
    rows = [(clean(s), [squares.get((s, protocol)) for protocol in protocols]) for s in scenarios]
    return tree.Matrix([clean(p) for p in protocols], rows, [clean(groups[s]) for s in scenarios])


def _groups(cells: Sequence[Cell]) -> dict[str, str]:
    """The group of each scenario: its first tag that some, but not all, other scenarios share."""
    tags = {cell.scenario: cell.tags for cell in cells}
    often = Counter(tag for some in tags.values() for tag in some)
    telling = {tag for tag, n in often.items() if 1 < n < len(tags)}
    return {scenario: next((tag for tag in some if tag in telling), "") for scenario, some in tags.items()}


def _square(cell: Cell, anchors: Anchors, unreachable: Collection[Key]) -> tree.Square:
    """The colour shows the kind of rule, ``!`` that it was unexpected, grey that it is harmless."""
    texts = []
    for rule in sorted(cell.found, key=_by_gravity):
        key = (*cell.name, rule)
        mark = say("!", Look.BAD) if rule in cell.unexpected else ()
        idle = key in unreachable
        text, look = (f"({word(rule)})", Look.DIM) if idle else (word(rule), family(rule))
        texts.append(mark + say(text, look, to=anchors.get(key, ""), title=rule))
    if cell.verdict == "missed":
        texts += [say(f"? {word(rule)}", Look.WARN, title=rule) for rule in missing(cell)]
    if known(cell.verdict) == "unknown":
        texts.append(say("…", Look.WARN))
    clear = say("(-)" if cell.vacuous else "-", Look.DIM)
    return tree.Square(lines(texts) or clear, known(cell.verdict), cell_name(cell))
