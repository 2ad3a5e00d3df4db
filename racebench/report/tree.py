"""A report as a tree of plain values, which each format draws in its own way.

Every string in it is one clean line: ``say`` cleans text from files and from users'
programs.  A format only escapes its own markup.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from .text import clean


class Look(enum.Enum):
    """The meaning of a piece of text; a format chooses its appearance from it."""

    PLAIN = ""
    STRONG = "strong"
    DIM = "dim"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    LOCK = "lock"
    CALL = "call"
    WRITE = "write"
    CODE = "code"
    # The kinds of faults: each has a background colour.
    CORRUPTION = "corruption"
    CRASH = "crash"
    DEADLOCK = "deadlock"
    PREDICTION = "prediction"


VERDICTS: Mapping[str, Look] = {
    "as_expected": Look.GOOD,
    "unexpected": Look.BAD,
    "missed": Look.WARN,
    "unknown": Look.WARN,
}


class Span(NamedTuple):
    """A piece of text.

    ``to`` is the anchor of the panel to which it links, ``title`` a longer text where there is room.
    """

    text: str
    look: Look = Look.PLAIN
    to: str = ""
    title: str = ""


Text = tuple[Span, ...]
T = TypeVar("T")
_NONE: Mapping[str, Any] = MappingProxyType({})
BREAK = Span("\n")
ARROW = " → "
"""Between the old and the new value."""


def say(value: Any, look: Look = Look.PLAIN, *, to: str = "", title: str = "") -> Text:
    return (Span(clean(value), look, to, clean(title)),)


def lines(texts: Iterable[Text]) -> Text:
    """Join texts, each in a line of its own."""
    return tuple(chain.from_iterable((BREAK, *text) for text in texts))[1:]


def split(text: Text) -> list[Text]:
    """The lines of ``text``, at least one."""
    found: list[Text] = [()]
    for span in text:
        if span is BREAK:
            found.append(())
        else:
            found[-1] += (span,)
    return found


class Paragraph(NamedTuple):
    text: Text = ()
    indented: bool = False


class Command(NamedTuple):
    """A command to be copied: if possible, it is neither wrapped nor shortened."""

    text: str
    label: str = ""


class Fit(enum.Enum):
    """How the text of a column is fitted."""

    WRAPPED = "wrapped"
    WHOLE = "whole"
    NUMBER = "number"


class Column(NamedTuple):
    """``under``: in a narrow table the column's text is below its row."""

    title: str = ""
    fit: Fit = Fit.WRAPPED
    under: bool = False


class Row(NamedTuple):
    cells: Sequence[Text]
    verdict: str = ""


class Table(NamedTuple):
    """A table; it has no heading if no column has a title."""

    columns: Sequence[Column]
    rows: Sequence[Row]


class Square(NamedTuple):
    """One cell of a matrix: what to write, the verdict, and the cell's name."""

    text: Text
    verdict: str
    name: str


class Matrix(NamedTuple):
    """A row is a name and a square for each of ``columns``; None where nothing was run.

    ``groups`` has the name of each row's group.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Square | None]]]
    groups: Sequence[str] = ()


class Legend(NamedTuple):
    items: Sequence[Text]


class Moment(NamedTuple):
    """A row of the lanes: what ``thread`` does, in step ``number`` (0 if it is no step).

    ``held`` has the locks that each thread holds then; ``switch`` marks the row that begins the
    steps of another thread.  If the row stands for several folded steps, ``folded`` has their
    numbers and texts.
    """

    thread: str
    text: Text
    number: int = 0
    held: Sequence[Sequence[str]] = ()
    switch: bool = False
    folded: Sequence[tuple[int, Text]] = ()


class Wait(NamedTuple):
    """``thread`` waits for ``lock``, which ``holder`` holds; empty if no other thread holds it."""

    thread: str
    lock: str
    holder: str = ""


class Frame(NamedTuple):
    """A step, and the state after it.

    ``held`` has the locks of each thread; ``left`` is the field that the step touched, and its value.
    """

    thread: str
    does: str
    value: str
    place: str
    held: Sequence[Sequence[str]]
    waits: Sequence[Wait] = ()
    left: tuple[str, str] | None = None


class Walk(NamedTuple):
    """A schedule, step by step; ``start`` has each field's value before it.

    ``passing`` is the nearest schedule that passes, which differs from it after ``at`` steps; or empty.
    """

    threads: Sequence[str]
    start: Mapping[str, str]
    failing: Sequence[Frame]
    at: int = 0
    passing: Sequence[Frame] = ()


class Lanes(NamedTuple):
    """A schedule: a column for each thread, time going down; a page can step through ``walk``."""

    threads: Sequence[str]
    moments: Sequence[Moment]
    walk: Walk | None = None


class Bars(NamedTuple):
    """A plot: a name and a value, 0 or more, for each bar."""

    title: str
    bars: Sequence[tuple[str, float]]


class Group(NamedTuple):
    """Blocks without space between them."""

    blocks: Sequence[Block]


class Panel(NamedTuple):
    """A finding; its blocks have space between them.

    ``anchor`` is the target of links; ``in_short`` replaces the panel if there are too many,
    or if it is ``slight``: proved harmless.  ``facets`` has the properties by which it can be
    filtered, each with its values.
    """

    title: str
    where: str
    blocks: Sequence[Block]
    number: int = 0
    anchor: str = ""
    in_short: Command | None = None
    slight: bool = False
    facets: Mapping[str, Sequence[str]] = _NONE


class Section(NamedTuple):
    """``detail``: a page may fold this section away, and a terminal leaves it out."""

    title: str
    blocks: Sequence[Block]
    detail: bool = False


Block = Paragraph | Command | Table | Matrix | Legend | Lanes | Bars | Group | Panel | Section


class Document(NamedTuple):
    """A run: ``headline`` is what everybody should read, ``matrix`` shows all cells at a glance.

    ``summary`` is the run in a line, ``about`` says where and when it was, and ``verdicts``
    counts the cells with each verdict.  ``rest`` says how to see what a short form leaves out,
    ``closing`` where the run is stored; both say what to do next.
    """

    summary: str
    headline: Sequence[Block]
    sections: Sequence[Section]
    about: Sequence[str] = ()
    matrix: Sequence[Block] = ()
    rest: Sequence[Block] = ()
    closing: Sequence[Block] = ()
    verdicts: Mapping[str, int] = _NONE


def within(blocks: Iterable[Block], kind: type[T]) -> Iterator[T]:
    """The blocks of this class, in the order in which they stand, however deep."""
    for block in blocks:
        if isinstance(block, kind):
            yield block
        elif isinstance(block, Group | Panel | Section):
            yield from within(block.blocks, kind)


def table(columns: Iterable[Column | str], rows: Iterable[Row]) -> Table:
    return Table([Column(c) if isinstance(c, str) else c for c in columns], list(rows))


def row(*cells: Text | str, verdict: str = "") -> Row:
    return Row([say(cell) if isinstance(cell, str) else cell for cell in cells], verdict)


def listed(rows: Iterable[Row]) -> Table:
    """A table without a heading: a name and its description in each row."""
    return table([Column(fit=Fit.WHOLE), ""], rows)


def note(text: str, look: Look = Look.PLAIN) -> Paragraph:
    return Paragraph(say(text, look))


def command(text: str, label: str = "") -> Command:
    return Command(clean(text), clean(label))


def known(verdict: str) -> str:
    """``verdict``, or unknown if this RaceBench does not know it."""
    return verdict if verdict in VERDICTS else "unknown"


def spoken(verdict: str) -> Text:
    return say(verdict.replace("_", " "), VERDICTS.get(verdict, Look.PLAIN))
