"""A report in a terminal; the same renderer draws pictures and plain text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from rich import box
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel as Frame
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text as Words

from . import tree
from .tree import Block, Fit, Look

STYLES = {
    Look.PLAIN: "",
    Look.STRONG: "bold",
    Look.DIM: "dim",
    Look.GOOD: "green",
    Look.BAD: "bold red",
    Look.WARN: "yellow",
    Look.LOCK: "magenta",
    Look.CALL: "cyan",
    Look.WRITE: "yellow",
}
MOST_PANELS = 12
_SPARKS = " ▁▂▃▄▅▆▇█"
_WIDE, _NARROWEST_LANE, _LONGEST_NAME, _GAP = 120, 24, 26, 2


def show(console: Console, blocks: Sequence[Block], most_panels: int = MOST_PANELS) -> None:
    """Print ``blocks``; of very many findings only the first in full."""
    panels = 0
    for block in blocks:
        if isinstance(block, tree.Section):
            if not block.detail:
                console.print()
                console.print(Rule(Words(block.title), align="left", style="dim"))
                show(console, block.blocks, most_panels)
            continue
        if isinstance(block, tree.Panel):
            panels += 1
            if panels > most_panels and block.in_short:
                block = block.in_short
        console.print(Drawn(block), soft_wrap=isinstance(block, tree.Command))


def show_run(console: Console, document: tree.Document, most_panels: int = MOST_PANELS) -> None:
    """Print a run, the sum and where it is stored at its end."""
    show(console, document.sections, most_panels)
    console.print()
    console.print(Words(document.summary, style="bold"))
    show(console, document.closing)


def plain(blocks: Sequence[Block], width: int) -> str:
    """``blocks`` as lines of text, at most ``width`` columns wide but for commands."""
    out = io.StringIO()
    show(screen(out, width), blocks)
    return out.getvalue().rstrip("\n")


def screen(out: io.StringIO, width: int, *, color: bool = False) -> Console:
    return Console(file=out, width=width, force_terminal=color, highlight=False, legacy_windows=False)


@dataclass(frozen=True)
class Drawn:
    """``block`` for rich, in whatever width there is."""

    block: Block

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from _drawn(self.block, options.max_width)


def words(text: tree.Text) -> Words:
    return Words.assemble(*((span.text, STYLES[span.look]) for span in text))


def _drawn(block: Block, width: int) -> Iterator[RenderableType]:
    match block:
        case tree.Paragraph(text, indented):
            yield Padding.indent(words(text), 4) if indented else words(text)
        case tree.Command(text, label):
            yield Words(f"{label} {text}" if label else text, style="bold" if label else "")
        case tree.Legend(items):
            yield Columns([words(item) for item in items])
        case tree.Group(blocks):
            yield from map(Drawn, blocks)
        case tree.Panel():
            yield _panel(block)
        case tree.Table():
            narrow = width < _WIDE and any(column.under for column in block.columns)
            yield from _stacked(block) if narrow else [_table(block)]
        case tree.Matrix():
            yield from _matrix(block, width)
        case tree.Bars():
            yield _sparkline(block)
        case tree.Lanes():
            yield _lanes(block, width)


def _panel(panel: tree.Panel) -> Frame:
    body = Group(*(Padding(Drawn(b), (1 if i else 0, 0, 0, 0)) for i, b in enumerate(panel.blocks)))
    title = Words(f"{panel.title}: {panel.where}")
    return Frame(body, title=title, title_align="left", border_style="red", box=box.ROUNDED)


def _headed(*, expand: bool = False) -> Grid:
    return Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, expand=expand)


def _table(table: tree.Table) -> Grid:
    headed = any(column.title for column in table.columns)
    grid = _headed() if headed else Grid.grid(padding=(0, 2))
    for column in table.columns:
        grid.add_column(
            Words(column.title),
            no_wrap=column.fit is Fit.WHOLE,
            justify="right" if column.fit is Fit.NUMBER else "left",
            overflow="fold",
        )
    for row in table.rows:
        grid.add_row(*map(words, row.cells))
    return grid


def _stacked(table: tree.Table) -> Iterator[RenderableType]:
    """A narrow table: each row a line, and what belongs under it."""
    for row in table.rows:
        under = [column.under for column in table.columns]
        ahead = [words(cell) for cell, below in zip(row.cells, under, strict=True) if not below]
        yield Words(": ").join(ahead)
        for cell, below in zip(row.cells, under, strict=True):
            if below and cell:
                yield Padding.indent(words(cell), 4)


def _matrix(matrix: tree.Matrix, width: int) -> Iterator[RenderableType]:
    """Protocols under letters; those that do not fit go into another grid below."""
    letters = [chr(ord("a") + i) if i < 26 else str(i + 1) for i in range(len(matrix.columns))]
    rows = [(name, [words(s.text) if s else Words(" ") for s in squares]) for name, squares in matrix.rows]
    name = min(_LONGEST_NAME, width // 2, max(len(name) for name, _ in rows))
    lines = [
        [line for _, row in rows for line in row[i].split(allow_blank=True)] for i in range(len(letters))
    ]
    wide = [max(len(letter), *(line.cell_len for line in lines[i])) for i, letter in enumerate(letters)]
    for chunk in _chunks(wide, width - name):
        grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        grid.add_column("scenario", overflow="fold", min_width=name)
        for i in chunk:
            grid.add_column(letters[i])
        for scenario, row in rows:
            grid.add_row(Words(scenario), *(row[i] for i in chunk))
        yield grid
        yield Words()
    names = zip(letters, matrix.columns, strict=True)
    yield Columns([Words(f"{letter} {protocol}", style="dim") for letter, protocol in names])


def _sparkline(plot: tree.Bars) -> Words:
    most = max(value for _, value in plot.bars) or 1.0
    steps = "".join(_SPARKS[ceil((len(_SPARKS) - 1) * value / most)] for _, value in plot.bars)
    ends = f"{plot.bars[0][0]} … {plot.bars[-1][0]}, at most {most:,.0f}"
    return Words.assemble(f"{plot.title}: ", (steps, STYLES[Look.CALL]), f"  {ends}")


def _chunks(wide: Sequence[int], room: int) -> list[list[int]]:
    """The columns in rows of at most ``room``, a gap before each."""
    chunks: list[list[int]] = []
    left = 0
    for i, width in enumerate(wide):
        if not chunks or width + _GAP > left:
            chunks.append([])
            left = room
        chunks[-1].append(i)
        left -= width + _GAP
    return chunks


def _lanes(lanes: tree.Lanes, width: int) -> Grid:
    """Too many threads for the width share one column."""
    apart = width // max(1, len(lanes.threads)) >= _NARROWEST_LANE
    grid = _headed(expand=True)
    grid.add_column("step", justify="right", style="dim", no_wrap=True)
    if not apart:
        grid.add_column("thread", overflow="fold")
    for name in lanes.threads if apart else [""]:
        grid.add_column(Words(name), overflow="fold", ratio=1)
    for moment in lanes.moments:
        number, text = str(moment.number or ""), words(moment.text)
        if apart:
            before = lanes.threads.index(moment.thread)
            grid.add_row(number, *[Words()] * before, text)
        else:
            grid.add_row(number, Words(moment.thread), text)
    return grid
