"""Lists: what there is, what runs a function of Xen, and the figures of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .text import clean
from .tree import Block, Column, Fit, Look, Paragraph, Section, Table, listed, note, row, say, table

Named = Sequence[tuple[str, str]]
"""Names of scenarios, and their titles."""

_QUIET = 0.05


def listing(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    first, *others = headings
    return table([Column(first, Fit.WHOLE), *others], [row(*cells) for cells in rows])


def scenario_list(groups: Sequence[tuple[str, str, Named]], tags: Mapping[str, int]) -> list[Block]:
    """Each folder's scenarios under a heading with its tag, then all tags with their counts."""
    often = sorted((tag for tag in tags if tags[tag] > 1), key=lambda tag: (-tags[tag], tag))
    once = sorted((tag for tag in tags if tags[tag] == 1), key=lambda tag: (len(tag), tag))
    often_used = [f"@{tag} {tags[tag]}" for tag in often]
    lines = [
        ", ".join(often_used),
        *([f"one scenario each: {', '.join(f'@{tag}' for tag in once)}"] if once else []),
    ]
    commands = [
        ("racebench run NAME | @TAG | FILE", "hammers and proves it"),
        ("racebench list release_guest_irq", "what runs that function of Xen"),
    ]
    return [
        *(Section(f"@{clean(folder)}: {clean(what)}", [_named(names)]) for folder, what, names in groups),
        Section("tags", [note(line) for line in lines]),
        Paragraph(),
        _named(commands),
    ]


def function_list(cited: Sequence[str], present: Named, past: Named) -> list[Block]:
    """Where Xen has a function, what runs it under any protocol, and past bugs in it."""
    sections = (("what runs it", present), ("past bugs there", past))
    return [
        *(note(f"Xen: {source}") for source in cited),
        *(Section(title, [_named(names)]) for title, names in sections if names),
    ]


def _named(named: Named) -> Table:
    return listed(row(say(name, Look.STRONG), what) for name, what in named)


def bench_table(
    figures: Mapping[str, float | None], spreads: Mapping[str, float], bars: Mapping[str, tuple[str, bool]]
) -> Table:
    """The figures, how much each varied, and whether its bar, if it has one, is met."""
    rows = []
    for key, value in figures.items():
        shown = "none" if value is None else f"{value:,.3f}" if value < 100 else f"{value:,.0f}"
        bar, met = bars.get(key, ("", True))
        said = say(f"met: {bar}", Look.GOOD) if met else say(f"MISSED: {bar}", Look.BAD)
        varied = spreads.get(key, 0.0)
        rows.append(row(key, shown, f"{varied:.0%}" if varied else "", said if bar else ""))
    numbers = Column("value", Fit.NUMBER), Column("varied", Fit.NUMBER)
    return table([Column("figure", Fit.WHOLE), *numbers, "bar"], rows)


def bench_busy(share: float | None) -> Block:
    """How to take the figures, if other processes used a ``share`` of the processors."""
    if share is None:
        return note("What else this machine did meanwhile is not known here.")
    if share < _QUIET:
        return note(f"Others had {share:.0%} of the processors meanwhile: the machine was quiet.")
    text = f"Others had {share:.0%} of the processors meanwhile: these are the figures of a busy machine."
    return note(text, Look.WARN)
