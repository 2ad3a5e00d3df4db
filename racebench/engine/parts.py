"""A search cut into parts: the words that explorers in different processes share.

A part is the subtree under one step from one state.  Who explores it needs to
know how to get there, which steps are asleep there, and what is to come first;
what it learns about states above, it reports.  Events travel without their
operation: order and dependence are in who steps and what is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..trace import Kind, Op
from .controlled import Outcome
from .events import Event, Key
from .tally import Tally
from .wakeup import Branch

Wire = tuple[int, tuple[Key, ...], tuple[Key, ...]]
"""An event: thread index, keys read, keys written."""

Twig = tuple[Wire, tuple[Any, ...]]
"""A branch of a wakeup tree: its event, and the twigs below it."""

_UNKNOWN = Op(Kind.READ)


@dataclass(frozen=True, slots=True)
class Part:
    """A subtree of a search.

    ``path`` has who steps from the beginning on; its last step leads into the
    part.  ``others`` has, for each state on the way, the steps whose reversal
    need not be reported there, and ``asleep`` those that sleep where the path
    ends; ``tree`` is to be explored first.  With a ``bound`` it is a part of a
    search that allows so many preemptions, and the rest is empty.
    """

    path: tuple[int, ...]
    others: tuple[tuple[Wire, ...], ...] = ()
    asleep: tuple[Wire, ...] = ()
    tree: tuple[Twig, ...] = ()
    bound: int | None = None


@dataclass(frozen=True, slots=True)
class Level:
    """One state whose steps an explorer hands over, all but the one it goes on with.

    ``asleep`` are the steps that need no more exploration, ``twigs`` those that
    do, in order; the first is the one it keeps.  ``done`` is how many it has
    finished, ``ready`` who could step there; ``led`` says that the part's tree
    led through it.
    """

    asleep: tuple[Wire, ...]
    twigs: tuple[Twig, ...]
    done: int
    ready: frozenset[int]
    led: bool


@dataclass(slots=True)
class Report:
    """What came of a part since the last report.

    ``levels`` are handed over: those of the part's own tree, or by a split.
    ``reversals`` are sequences to be explored from states above the part, by
    depth.  ``over`` says that the part is done,
    ``stuck`` that a thread hung and ``failed`` that the program itself is wrong:
    then it will not be.
    """

    executions: int = 0
    redundant: int = 0
    done: float = 0.0
    tally: Tally = field(default_factory=Tally)
    levels: list[Level] = field(default_factory=list)
    reversals: list[tuple[int, tuple[Wire, ...]]] = field(default_factory=list)
    cut: bool = False
    over: bool = False
    stuck: bool = False
    failed: str | None = None


class Explorer(Protocol):
    """A search of one part; between two executions it can be asked to hand over.

    ``cut`` says that something lies beyond the bound of a bounded search.
    """

    executions: int
    redundant: int
    cut: bool

    def execute(self) -> Outcome | None:
        """Run the next execution; None if there is nothing to take in."""

    def advance(self) -> bool:
        """Go to the next execution; False when all is explored."""

    def split(self) -> None:
        """Hand over the part's upper states, down to the first with more than one step left, if any."""

    def handed_over(self) -> list[Level]:
        """The states handed over since the last call, from above.

        After the first execution: those that the part's tree led through.
        """

    def learned(self) -> list[tuple[int, tuple[Wire, ...]]]:
        """The reversals since the last call."""

    def done(self) -> float:
        """An estimate of the share of the part that is explored, 0..1."""


def wire(event: Event) -> Wire:
    """The same tuple each time: however often a message has it, it travels once."""
    try:
        sent: Wire = event.sent
    except AttributeError:
        sent = event.sent = event.proc, event.reads, event.writes
    return sent


def event_of(sent: Wire) -> Event:
    event = Event(sent[0], _UNKNOWN, None)
    event.reads, event.writes = sent[1], sent[2]
    return event


def twig(branch: Branch) -> Twig:
    return wire(branch.event), tuple(twig(child) for child in branch.children)


def branch_of(sent: Twig, event: Callable[[Wire], Event] = event_of) -> Branch:
    return Branch(event(sent[0]), [branch_of(child, event) for child in sent[1]])


def by_thread(sent: Iterable[Wire]) -> dict[int, Event]:
    return {one[0]: event_of(one) for one in sent}
