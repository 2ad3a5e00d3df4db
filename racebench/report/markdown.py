"""A stored run as plain text for a mailing list that is Markdown too.

All that comes from a file stands in indented blocks, in which Markdown obeys
nothing; the few headings that quote a file are escaped.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from . import facts
from .finding import finding_body
from .matrix import CELL_ROWS, evidence, grid, legend, missing, order
from .stored import Stored
from .strategies import strategies_table
from .terminal import Distinct, summary
from .text import clean, clipped, joined, why

WIDTH = 72
_INDENT = "    "
_ACTIVE = re.compile(r"([\\`*{}\[\]<>#+!|~&@$^=]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=/))")


def markdown(stored: Stored, width: int = WIDTH) -> str:
    """No line is longer than ``width``, but for commands."""
    parts = ["# RaceBench report", _block([Text(summary(stored.run))], width)]
    if stored.cells:
        parts += ["## Verdicts", _block(_verdicts(stored.cells, width - len(_INDENT)), width)]
    strategies = strategies_table(stored.cells)
    if strategies is not None:
        parts += ["## Strategies", _block([strategies], width)]
    claims = stored.told_claims()
    if claims:
        parts += ["## Claims", _block(_claims(claims), width)]
    told = stored.distinct()
    if told:
        parts.append("## Findings")
    for number, one in enumerate(told, 1):
        parts += _finding(number, one, stored.history.get(one.finding["signature"], ""), width)
    return "\n\n".join(parts) + "\n"


def _verdicts(cells: Sequence[Mapping[str, Any]], width: int) -> Iterator[RenderableType]:
    """The grid if there are many; in words what is not as expected, or all if they are few."""
    told = sorted(cells, key=order)
    if len(cells) > CELL_ROWS:
        yield Group(grid(cells, width), Text(), legend(cells))
        told = [cell for cell in told if cell["verdict"] != "as_expected"]
        if told:
            yield Text()
    for cell in told:
        name = f"{clean(cell['scenario'])} x {clean(cell['protocol'])}"
        rules = joined(cell["found"]) or "no rule broke"
        if missing(cell):
            rules += f"; not found: {joined(missing(cell))}"
        yield Text(f"{name}: {clean(cell['verdict']).replace('_', ' ')}")
        yield _under(clean(why(cell)) if why(cell) else rules)
        yield _under(evidence(cell))


def _claims(claims: Sequence[Any]) -> Iterator[RenderableType]:
    for claim in claims:
        yield Text(f"{clean(claim.id)} {clean(claim.verdict)}: {clean(claim.claim)} ({clean(claim.by)})")
        yield from (_under(clean(line)) for line in claim.evidence)


def _under(text: str) -> RenderableType:
    return Padding(Text(text), (0, 0, 0, 4))


def _finding(number: int, one: Distinct, history: str, width: int) -> list[str]:
    finding = one.finding
    seen = [Text(f"in:   {facts.cell_name(finding)}"), Text(f"seen: {facts.seen(finding)}")]
    seen += [Text(f"      {history}")] if history else []
    seen += [Text(f"also: {joined(one.also)}")] if one.also else []
    command = facts.replay_command(finding, one.path) or facts.not_replayable(finding)
    return [
        _heading(f"### {number}. ", finding["rule"], width),
        _block([finding_body(finding, width - len(_INDENT))], width),
        _block(seen, width),
        _INDENT + command,
    ]


def _heading(before: str, text: str, width: int) -> str:
    room = width - len(before)
    escaped = _escaped(text)
    return before + (escaped if len(escaped) <= room else _escaped(clipped(clean(text), room // 2)))


def _escaped(text: str) -> str:
    return _ACTIVE.sub(r"\\\1", clean(text))


def _block(shown: Iterable[RenderableType], width: int) -> str:
    """Indented, so that nothing in it is markup."""
    out = io.StringIO()
    screen = Console(
        file=out, width=width - len(_INDENT), highlight=False, color_system=None, legacy_windows=False
    )
    for one in shown:
        screen.print(one)
    lines = (line.rstrip().replace("─", "-") for line in out.getvalue().split("\n"))
    return "\n".join(_INDENT + line if line else "" for line in lines).strip("\n")
