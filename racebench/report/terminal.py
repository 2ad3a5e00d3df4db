"""A report in a terminal; the same renderer draws pictures and plain text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich import box
from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel as Frame
from rich.rule import Rule
from rich.table import Table as Grid
from rich.text import Text as Words

from . import tree
from .text import sparkline
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
    Look.CODE: "italic",
    # Both colours are set, so these look the same in light and dark terminals.
    Look.CORRUPTION: "black on yellow",
    Look.CRASH: "white on red",
    Look.DEADLOCK: "white on magenta",
    Look.PREDICTION: "black on cyan",
}
MOST_PANELS = 12
_WIDE, _NAMED, _NARROWEST_LANE, _LONGEST_NAME, _GAP = 120, 100, 24, 26, 2
_RULED = 4
_SCREEN, _HEADLINE = 48, 16
_FRAME = 4


def show(console: Console, blocks: Sequence[Block], most_panels: int = MOST_PANELS) -> None:
    """Print ``blocks``; of very many findings only the first ones in full."""
    panels = 0
    for block in blocks:
        if isinstance(block, tree.Section):
            if not block.detail:
                console.print()
                console.print(Rule(Words(block.title), align="left", style="dim"))
                show(console, block.blocks, most_panels)
            continue
        if isinstance(block, tree.Panel):
            panels += not block.slight
            if block.in_short and (block.slight or panels > most_panels):
                block = block.in_short
        if isinstance(block, tree.Command):
            _print_command(console, block)
            continue
        console.print(Drawn(block))
        if isinstance(block, tree.Panel):
            for command in _too_long(block, console.width - _FRAME):
                _print_command(console, command)


def _print_command(console: Console, command: tree.Command) -> None:
    """Print a command, in a line of its own if it does not fit; only the terminal wraps it."""
    label, text = command.label, Words(command.text, style="bold" if command.label else "")
    if len(label) + len(command.text) < console.width:
        console.print(Words(f"{label} ") + text if label else text, soft_wrap=True)
        return
    if label:
        console.print(Words(label))
    console.print(Words("  " if label else "") + text, soft_wrap=True)


def _too_long(panel: tree.Panel, width: int) -> list[tree.Command]:
    """The commands that do not fit into the frame; they are printed below it."""
    commands = tree.within(panel.blocks, tree.Command)
    return [command for command in commands if len(command.label) + 1 + len(command.text) > width]


def show_run(console: Console, document: tree.Document, *, full: bool = True) -> None:
    """Print a run's conclusion; with ``full`` everything, else also the matrix if it fits on the screen."""
    show(console, document.headline)
    if full:
        show(console, document.sections)
        console.print()
        show(console, document.closing)
        return
    show(console, document.rest)
    room = (console.height if console.is_terminal else _SCREEN) - _HEADLINE
    if document.matrix and len(plain(document.matrix, console.width).splitlines()) <= room:
        console.print()
        show(console, document.matrix)


def plain(blocks: Sequence[Block], width: int, *, color: bool = False) -> str:
    """``blocks`` as text, at most ``width`` columns wide except for commands."""
    out = io.StringIO()
    show(screen(out, width, color=color), blocks)
    return out.getvalue().rstrip("\n")


def screen(out: io.StringIO, width: int, *, color: bool = False) -> Console:
    return Console(file=out, width=width, force_terminal=color, highlight=False, legacy_windows=False)


class Drawn(NamedTuple):
    """A block that rich draws in the width that it gets."""

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
            # Inside a frame; a command that is too long is printed below it.
            if len(label) + 1 + len(text) <= width:
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
            yield _bars(block)
        case tree.Lanes():
            yield _lanes(block, width)


def _panel(panel: tree.Panel) -> Frame:
    body = Group(*(Padding(Drawn(b), (1 if i else 0, 0, 0, 0)) for i, b in enumerate(panel.blocks)))
    title = Words(f"{panel.title}: {panel.where}")
    return Frame(body, title=title, title_align="left", border_style="red", box=box.ROUNDED)


def _headed(lines: box.Box = box.SIMPLE_HEAD, *, expand: bool = False) -> Grid:
    return Grid(box=lines, pad_edge=False, show_edge=False, expand=expand)


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
    """A narrow table: each row in one line, its ``under`` columns below it."""
    for row in table.rows:
        under = [column.under for column in table.columns]
        ahead = [words(cell) for cell, below in zip(row.cells, under, strict=True) if not below]
        yield Words(": ").join(ahead)
        for cell, below in zip(row.cells, under, strict=True):
            if below and cell:
                yield Padding.indent(words(cell), 4)


def _matrix(matrix: tree.Matrix, width: int) -> Iterator[RenderableType]:
    """Protocols by name if they fit, else by letters; columns that do not fit go into a second grid below."""
    letters = [chr(ord("a") + i) if i < 26 else str(i + 1) for i in range(len(matrix.columns))]
    alone = len(matrix.columns) == 1
    rows = [[_square(s, alone) for s in squares] for _, squares in matrix.rows]
    columns = [[line for row in rows for line in row[i].split(allow_blank=True)] for i in range(len(letters))]
    wide = [max(line.cell_len for line in column) for column in columns]
    heads = [[n] if alone else _stacked_name(n, w) for n, w in zip(matrix.columns, wide, strict=True)]
    name = min(_LONGEST_NAME, width // 2, max(len("scenario"), *(len(name) for name, _ in matrix.rows)))
    full = [max(w, *map(len, head)) for w, head in zip(wide, heads, strict=True)]
    named = width >= _NAMED or len(_chunks(full, width - name)) == 1
    heads = heads if named else [[letter] for letter in letters]
    wide = [max(w, *map(len, head)) for w, head in zip(wide, heads, strict=True)]
    tall = max(map(len, heads))
    for n, chunk in enumerate(_chunks(wide, width - name)):
        if n:
            yield Words()
        grid = _headed(box.HORIZONTALS)
        grid.border_style, grid.padding = "dim", (0, 1, 0, 0)
        grid.add_column(Words("\n" * (tall - 1) + "scenario"), overflow="fold", min_width=name)
        for i in chunk:
            grid.add_column(Words("\n" * (tall - len(heads[i])) + "\n".join(heads[i])), min_width=wide[i])
        for at, ((scenario, _), row) in enumerate(zip(matrix.rows, rows, strict=True)):
            if matrix.groups[at : at + 1] != matrix.groups[at - 1 : at] and any(matrix.groups):
                grid.add_row(Words(f"@{matrix.groups[at]}" if matrix.groups[at] else "others", style="dim"))
            grid.add_row(Words(scenario), *(row[i] for i in chunk), end_section=_ends(matrix.groups, at))
        yield grid
    if not named:
        yield Words()
        names = zip(letters, matrix.columns, strict=True)
        yield Columns([Words(f"{letter} {protocol}", style="dim") for letter, protocol in names])


def _square(square: tree.Square | None, alone: bool) -> Words:
    """Its rules below one another; in a matrix with one column, beside one another."""
    if square is None:
        return Words(" ")
    return words(tuple(tree.Span(", ") if alone and span is tree.BREAK else span for span in square.text))


def _ends(groups: Sequence[str], at: int) -> bool:
    """Whether a line is drawn after row ``at``: the group ends there, or every few rows inside it."""
    begins = next((i for i in range(at, 0, -1) if groups[i - 1 : i] != groups[i : i + 1]), 0)
    return groups[at : at + 1] != groups[at + 1 : at + 2] or (at - begins) % _RULED == _RULED - 1


def _stacked_name(name: str, width: int) -> list[str]:
    """Break ``name`` into lines no longer than ``width`` or its longest part."""
    parts = name.replace("_", "_ ").split(" ")
    room = max(width, *map(len, parts))
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) <= room:
            lines[-1] += part
        else:
            lines.append(part)
    return lines


def _bars(plot: tree.Bars) -> Words:
    most, steps = max(value for _, value in plot.bars), sparkline([value for _, value in plot.bars])
    ends = f"{plot.bars[0][0]} … {plot.bars[-1][0]}, at most {most:,.0f}"
    return Words.assemble(f"{plot.title}: ", (steps, STYLES[Look.CALL]), f"  {ends}")


def _chunks(wide: Sequence[int], room: int) -> list[list[int]]:
    """Split the columns into groups that are at most ``room`` wide, with a gap before each column."""
    chunks: list[list[int]] = []
    left = 0
    for i, width in enumerate(wide):
        if not chunks or width + _GAP > left:
            chunks.append([])
            left = room
        chunks[-1].append(i)
        left -= width + _GAP
    return chunks


def _aligned(text: Words) -> Group:
    """Let wrapped lines keep the indent of their first line."""
    lines = []
    for line in text.split(allow_blank=True):
        indent = len(line.plain) - len(line.plain.lstrip(" "))
        lines.append(Padding(line[indent:], (0, 0, 0, indent)) if indent else line)
    return Group(*lines)


def _lanes(lanes: tree.Lanes, width: int) -> Grid:
    """The lanes; if there are too many threads for the width, all share one column."""
    apart = width // max(1, len(lanes.threads)) >= _NARROWEST_LANE
    grid = _headed(expand=True)
    grid.add_column("step", justify="right", style="dim", no_wrap=True)
    if not apart:
        grid.add_column("thread", overflow="fold")
    for name in lanes.threads if apart else [""]:
        grid.add_column(Words(name), overflow="fold", ratio=1)
    for moment in lanes.moments:
        number, text = str(moment.number or ""), _aligned(words(moment.text))
        if apart:
            before = lanes.threads.index(moment.thread)
            grid.add_row(number, *[Words()] * before, text)
        else:
            grid.add_row(number, Words(moment.thread), text)
    return grid
