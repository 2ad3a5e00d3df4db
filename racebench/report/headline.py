"""The verdict first: a run's conclusion, new or unexpected results, the worst findings, where the rest is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from ..records import Cell
from . import facts, regressions, tree
from .rules import clause, gravity
from .stored_run import Distinct, Stored, distinct, is_fine, summary, unfinished
from .text import clean, clipped, count, counted, joined
from .tree import Block, Look, Paragraph, known, note

_MOST, _LONGEST, _LONGEST_TITLE = 3, 230, 70


def headline(stored: Stored, findings: Sequence[Distinct]) -> Iterator[Block]:
    """At most thirteen lines of 80 columns; ``rest`` has one or two more."""
    run = stored.run
    worst = worst_first(stored, findings)
    said, look = conclusion(stored, findings)
    yield note(said, look)
    yield note(summary(run))
    yield from _counts(run.cells, findings, stored)
    for one in worst[:_MOST]:
        yield from _finding(one, stored)


def worst_first(stored: Stored, findings: Sequence[Distinct]) -> list[Distinct]:
    """The findings without those that are proved unreachable, the worst first."""
    return sorted((one for one in findings if not _harmless(one)), key=_order(stored))


def _harmless(one: Distinct) -> bool:
    return facts.label(one.record) == "unreachable"


def _order(stored: Stored) -> Callable[[Distinct], tuple[bool, bool, bool, int, bool, int]]:
    fine, fresh = is_fine(stored.run.cells), regressions.news(stored.run.against)

    def order(one: Distinct) -> tuple[bool, bool, bool, int, bool, int]:
        """First those new with a protocol, then unexpected ones, then those new here, then by gravity."""
        finding = one.record.finding
        unreached = facts.callers(one.record)[0] == "not reachable"
        return (
            finding.signature not in fresh,
            fine(one.record),
            not _is_new(one, stored),
            gravity(finding.rule),
            unreached,
            len(finding.schedule),
        )

    return order


def _is_new(one: Distinct, stored: Stored) -> bool:
    """Whether this is the only run that has seen it, of those that ran its cells."""
    return stored.history.get(one.record.finding.signature, (0, 0))[0] == 1


# -- the conclusion


def conclusion(stored: Stored, findings: Sequence[Distinct]) -> tuple[str, Look]:
    """The run in a sentence, and its look (good, bad, ...)."""
    said, look = _conclusion(stored, findings, worst_first(stored, findings))
    return clipped(said, _LONGEST), look


def in_a_line(stored: Stored) -> str:
    """The conclusion and the summary of a run, for formats with room for only one line."""
    whole = stored.whole or stored
    said, _ = conclusion(whole, distinct(whole))
    return f"{said} {summary(whole.run)}"


def _conclusion(stored: Stored, findings: Sequence[Distinct], worst: Sequence[Distinct]) -> tuple[str, Look]:
    """Unexpected results, else cells without an answer, else the worst finding."""
    cells = stored.run.cells
    held = regressions.conclusions(stored.run.against)
    if held:
        return " ".join(said for said, _ in held), Look.BAD if any(worse for _, worse in held) else Look.GOOD
    fine = is_fine(cells)
    odd = [one for one in worst if not fine(one.record)]
    if odd:
        return f"Not expected: {_broken(cells, odd[0])}", Look.BAD
    of = {verdict: [cell for cell in cells if known(cell.verdict) == verdict] for verdict in tree.VERDICTS}
    if of["unexpected"]:
        cell = of["unexpected"][0]
        broken = joined(map(clause, cell.unexpected), " and ") or "a rule is broken"
        return f"Not expected: {broken} in {facts.cell_name(cell)}.", Look.BAD
    if of["missed"]:
        cell, rules = of["missed"][0], facts.missing(of["missed"][0])
        was = "was" if len(rules) == 1 else "were"
        return f"Not found: {joined(rules)}, which {was} expected in {facts.cell_name(cell)}.", Look.BAD
    if of["unknown"] or unfinished(stored.run):
        return _open(of["unknown"], stored), Look.WARN
    if worst:
        return _capital(_broken(cells, worst[0])), Look.STRONG
    harmless = {(*record.cell, record.finding.rule) for one in findings for _, record in one.found}
    for cell in cells:
        if any((*cell.name, rule) not in harmless for rule in cell.found):
            broken = joined(map(clause, cell.found), " and ")
            return f"As expected, {broken} in {facts.cell_name(cell)}.", Look.STRONG
    return _clean(cells), Look.GOOD


def _open(cells: Sequence[Cell], stored: Stored) -> str:
    run = stored.run
    if unfinished(run):
        return f"No answer yet: {counted(unfinished(run), 'cell')} not run to the end."
    where = facts.cell_name(cells[0]) if len(cells) == 1 else counted(len(cells), "cell")
    why = (facts.why(cells[0]) or "the budget ended before every schedule was searched").rstrip(".")
    return f"No answer for {where}: {clipped(why, 120)}."


def _broken(cells: Sequence[Cell], one: Distinct) -> str:
    """``without the rank lock, the mapping is corrupted (1 preemption): two routes. baseline is clean``."""
    record = one.record
    cell = next((cell for cell in cells if cell.name == record.cell), Cell(*record.cell))
    preemptions = record.finding.evidence.get("preemptions")
    how = f" ({counted(preemptions, 'preemption')})" if preemptions is not None else ""
    title = clean(cell.title)
    what = f"{title[:1].lower()}{title[1:]}" if title[1:2].islower() or title[1:2] == " " else title
    where = clipped(what, _LONGEST_TITLE) if what else f"in {clean(cell.scenario)}"
    by = clean(cell.phrase) or f"under {clean(cell.protocol)}"
    said = f"{by}, {clause(record.finding.rule)}{how}{':' if what else ''} {where}."
    beside = [c for c in cells if c.scenario == cell.scenario and c.proved and not c.found and not c.vacuous]
    return f"{said} {clean(beside[0].protocol)} is proved clean there." if beside else said


def _clean(cells: Sequence[Cell]) -> str:
    if not cells:
        return "Nothing was run."
    where = facts.cell_name(cells[0]) if len(cells) == 1 else counted(len(cells), "cell")
    them = "it" if len(cells) == 1 else "them"
    said = f"Nothing breaks in {where}"
    if any(cell.found for cell in cells):
        said = f"What is predicted in {where} is proved unreachable"
    if not all(cell.proved for cell in cells):
        return f"{said.replace('breaks', 'broke')}; not every schedule of {them} was searched."
    if all(cell.vacuous for cell in cells):
        return f"{said}, but little happens in {them}."
    return f"{said}: every schedule was searched."


def _capital(text: str) -> str:
    """Make the first letter a capital; the rest stays as it is."""
    return text[:1].upper() + text[1:]


# -- below the conclusion


def _counts(cells: Sequence[Cell], findings: Sequence[Distinct], stored: Stored) -> Iterator[Paragraph]:
    verdicts = Counter(cell.verdict for cell in cells)
    fine = [cell for cell in cells if cell.verdict == "as_expected"]
    clear, idle = [c for c in fine if not c.found], [c for c in fine if c.vacuous]
    odd = [(verdict, verdicts[verdict]) for verdict in tree.VERDICTS if verdict != "as_expected"]
    parts = [f"{count(n)} {verdict}" for verdict, n in odd if n]
    look = Look.BAD if parts else Look.DIM
    parts += [f"{count(len(fine) - len(clear))} broke as expected"] if len(fine) > len(clear) else []
    if clear:
        parts.append(f"{count(len(clear))} clean")
        parts[-1] += f", {count(len(idle))} of them only because little happened" if idle else ""
    if len(cells) > 1 and (len(parts) > 1 or idle):
        yield note("; ".join(parts), look)
    new = sum(_is_new(one, stored) for one in findings)
    if new:
        yield note(f"{counted(new, 'finding')} that no older run beside this one has seen", Look.WARN)


def _finding(one: Distinct, stored: Stored) -> Iterator[Block]:
    """A line for the finding, and the command that shows it or runs its test."""
    record = one.record
    steps = counted(len(record.finding.schedule), "step") if record.finding.schedule else "no schedule"
    new = ", new" if _is_new(one, stored) else ""
    odd = not is_fine(stored.run.cells)(record)
    rules = tree.say(joined(one.rules), Look.BAD if odd else Look.STRONG)
    yield Paragraph(rules + tree.say(f" in {facts.cell_name(record)}, {steps}{new}"))
    again = clean(record.rerun) or (f"racebench explain {clean(one.path)}" if one.path else "")
    if again:
        yield tree.command(f"  {again}")


def rest(stored: Stored, findings: Sequence[Distinct]) -> Iterator[Block]:
    """How to see the rest, and how to continue an unfinished run."""
    more = sum(not _harmless(one) for one in findings) - _MOST
    others = f"{counted(more, 'more finding')}, every step and every cell" if more > 0 else "all of it"
    if stored.folder:
        yield tree.command(f"racebench explain {stored.folder}", f"{others}:")
        yield from resumption(stored)


def resumption(stored: Stored) -> Iterator[Block]:
    """The command that resumes a run that was cut off."""
    if stored.folder and unfinished(stored.run):
        yield tree.command(f"racebench run --resume {stored.folder}", "resume with:")
