"""What a report says: a tree of plain values, which each format draws in its own way.

Every string in it is one clean line: ``say`` is where text from files and from
users' programs comes in, and a format only escapes what is markup to it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from .text import clean


class Look(enum.Enum):
    """What a piece of text is, from which a format chooses how it looks."""

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
    # The kinds of faults: each fills its ground.
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

    ``to`` is the anchor of a panel that it leads to, ``title`` says more where there is room.
    """

    text: str
    look: Look = Look.PLAIN
    to: str = ""
    title: str = ""


Text = tuple[Span, ...]
_NONE: Mapping[str, Any] = MappingProxyType({})
BREAK = Span("\n")
ARROW = " → "
"""Between what was and what is."""


def say(value: Any, look: Look = Look.PLAIN, *, to: str = "", title: str = "") -> Text:
    return (Span(clean(value), look, to, clean(title)),)


def lines(texts: Iterable[Text]) -> Text:
    """The texts below one another."""
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
    """What is there to be copied: neither wrapped nor shortened where that can be helped."""

    text: str
    label: str = ""


class Fit(enum.Enum):
    """How a column takes its text."""

    WRAPPED = "wrapped"
    WHOLE = "whole"
    NUMBER = "number"


class Column(NamedTuple):
    """``under``: where the table is narrow, it stands below its row."""

    title: str = ""
    fit: Fit = Fit.WRAPPED
    under: bool = False


class Row(NamedTuple):
    cells: Sequence[Text]
    verdict: str = ""


class Table(NamedTuple):
    """A table without any title of a column has no heading."""

    columns: Sequence[Column]
    rows: Sequence[Row]


class Square(NamedTuple):
    """One cell of a matrix: what to write, the verdict, and the cell's name."""

    text: Text
    verdict: str
    name: str


class Matrix(NamedTuple):
    """A row is a name and a square for each of ``columns``; None where nothing was run.

    ``groups`` names, for each row, what it stands together with.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Square | None]]]
    groups: Sequence[str] = ()


class Legend(NamedTuple):
    items: Sequence[Text]


class Moment(NamedTuple):
    """A row of the lanes: what ``thread`` does, in step ``number`` if it is one.

    ``held`` has the locks of each thread meanwhile; ``switch`` begins the steps of another thread.
    Where it stands for several steps that are folded, ``folded`` has their numbers and texts.
    """

    thread: str
    text: Text
    number: int
    held: Sequence[Sequence[str]]
    switch: bool = False
    folded: Sequence[tuple[int, Text]] = ()


class Wait(NamedTuple):
    """``thread`` waits for ``lock``, which ``holder`` has; empty where nobody else has it."""

    thread: str
    lock: str
    holder: str = ""


class Frame(NamedTuple):
    """A step, and what is so after it.

    ``held`` has the locks of each thread; ``left`` is the field that it touched, and its value then.
    """

    thread: str
    does: str
    value: str
    place: str
    held: Sequence[Sequence[str]]
    waits: Sequence[Wait] = ()
    left: tuple[str, str] | None = None


class Walk(NamedTuple):
    """A schedule to be walked: ``start`` has each field's value before it.

    ``passing`` is the nearest schedule that passes, which parts from it after ``at`` steps; or empty.
    """

    threads: Sequence[str]
    start: Mapping[str, str]
    failing: Sequence[Frame]
    at: int = 0
    passing: Sequence[Frame] = ()


class Lanes(NamedTuple):
    """A schedule: a column a thread, time going down; where a page can, ``walk`` takes it step by step."""

    threads: Sequence[str]
    moments: Sequence[Moment]
    walk: Walk | None = None


class Bars(NamedTuple):
    """A plot: a name and a value, 0 or more, for each column of it."""

    title: str
    bars: Sequence[tuple[str, float]]


class Group(NamedTuple):
    """Blocks that stand close together."""

    blocks: Sequence[Block]


class Panel(NamedTuple):
    """A finding: its blocks stand apart from one another.

    ``anchor`` is where links lead; ``in_short`` says it where there are too many to be drawn,
    or if it is ``slight``: proved harmless.  ``facets`` has what one may filter by, each with
    the values that it has here.
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
    """``detail``: what a page may fold away, and a terminal leaves out."""

    title: str
    blocks: Sequence[Block]
    detail: bool = False


Block = Paragraph | Command | Table | Matrix | Legend | Lanes | Bars | Group | Panel | Section


class Document(NamedTuple):
    """A run: ``headline`` is what everybody should read, ``matrix`` all cells at a glance.

    ``summary`` is its sum in a line, ``about`` says where and when it was, and ``verdicts``
    how many cells have each.  ``rest`` leads to what a short form leaves out, ``closing``
    says where all of it is stored; both say what to do next.
    """

    summary: str
    headline: Sequence[Block]
    sections: Sequence[Section]
    about: Sequence[str] = ()
    matrix: Sequence[Block] = ()
    rest: Sequence[Block] = ()
    closing: Sequence[Block] = ()
    verdicts: Mapping[str, int] = _NONE


def table(columns: Iterable[Column | str], rows: Iterable[Row]) -> Table:
    return Table([Column(c) if isinstance(c, str) else c for c in columns], list(rows))


def row(*cells: Text | str, verdict: str = "") -> Row:
    return Row([say(cell) if isinstance(cell, str) else cell for cell in cells], verdict)


def listed(rows: Iterable[Row]) -> Table:
    """A table without a heading: names, and what is said of each."""
    return table([Column(fit=Fit.WHOLE), ""], rows)


def note(text: str, look: Look = Look.PLAIN) -> Paragraph:
    return Paragraph(say(text, look))


def command(text: str, label: str = "") -> Command:
    return Command(clean(text), clean(label))


def known(verdict: str) -> str:
    """``verdict``, or unknown if it is of another RaceBench's."""
    return verdict if verdict in VERDICTS else "unknown"


def spoken(verdict: str) -> Text:
    return say(verdict.replace("_", " "), VERDICTS.get(verdict, Look.PLAIN))
