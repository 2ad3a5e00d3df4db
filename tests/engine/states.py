"""The states of the machine that the enumerator runs.

Words: an ``Actor`` is a thread, an interrupt, which comes to the thread ``below`` it, or
a child, which some thread starts; each actor's program is flat code (see ``flat``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from .flat import Block

NOBODY, GONE = -1, -2
AT_ONCE, ASLEEP, WOKEN, QUEUED, LATE = range(5)
"""How far an actor is inside an operation of more than one step."""


@dataclass(frozen=True)
class Sketch:
    """A program as data: (name, block) for each thread, (name, thread, block) for each interrupt.

    ``shut``: setup leaves the plain lock taken.

    ``children`` has (name, block) of each thread that is started while it runs, and ``inner``
    the names of those that are not made in setup, but by the one thread that speaks of them.
    """

    threads: tuple[tuple[str, Block], ...]
    interrupts: tuple[tuple[str, str, Block], ...] = ()
    delayed: tuple[str, ...] = ()
    count: int = 1
    fair: bool = False
    spurious: bool = False
    acts: bool = False
    shut: bool = False
    children: tuple[tuple[str, Block], ...] = ()
    inner: tuple[str, ...] = ()
    daemons: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        parts = self.threads, self.interrupts, self.children
        return tuple(name for part in parts for name, *_ in part)


class Crash(Exception):
    """A check failed: the machine stops.  ``broken`` has the rules that the same step broke before."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        self.broken: list[str] = []


class Actor(NamedTuple):
    """Where one thread or interrupt is.

    ``kept`` is a value between two steps: what it has read, or how often it held a
    lock.  ``stored`` says that it has stored since its last fence.  ``guards`` has,
    for each guard it is in, whether that switches interrupts on at its end.
    """

    at: int = 0
    kept: int = 0
    seen: tuple[int, ...] = ()
    guards: tuple[bool, ...] = ()
    irqs: bool = True
    stored: bool = False
    phase: int = AT_ONCE
    failed: bool = False
    ended: bool = False
    started: bool = True


def gone_on(actor: Actor, *seen: int, **changes: Any) -> Actor:
    """``actor`` after its step, which has recorded ``seen``."""
    return actor._replace(at=actor.at + 1, seen=actor.seen + seen, phase=AT_ONCE, **changes)


FILLING, DRAINING, RESETTING, BROKEN = 0, 1, -1, -2
"""What ``threading.Barrier`` has as its ``_state``."""


class State(NamedTuple):
    """A state of the program.

    ``locks`` has (holder, depth) of each, GONE if that is no thread any more; ``running`` the interrupt that
    runs on each thread's processor; ``buffers`` each actor's stores to each delayed field.
    ``queue`` has the readers that wait, each with the writers that it is behind.
    ``spent`` has the (actor, condition) that have woken unasked, ``units`` is what the
    semaphore has, ``bounded`` what the bounded one has.  ``flag`` is the event's, which
    ``hopeful`` wait for.  ``barrier`` has its state, its count and who acts.
    """

    memory: tuple[int, ...]
    actors: tuple[Actor, ...]
    locks: tuple[tuple[int, int], ...]
    readers: tuple[int, ...]
    writer: int
    writers: tuple[int, ...]
    queue: tuple[tuple[int, frozenset[int]], ...]
    sleepers: tuple[tuple[int, ...], ...]
    spent: frozenset[tuple[int, int]]
    units: int
    running: tuple[int, ...]
    buffers: tuple[tuple[tuple[int, ...], ...], ...]
    bounded: int
    flag: bool
    hopeful: frozenset[int]
    barrier: tuple[int, int, int]

    def holders(self) -> set[int]:
        return {holder for holder, _ in self.locks} | {*self.readers, self.writer}


def put(values: tuple[Any, ...], at: int, value: Any) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])


class Step:
    """One step in the making: the state's parts, changed as the step says."""

    def __init__(self, state: State, i: int) -> None:
        self.i = i
        self.broken: list[str] = []
        (
            self.memory, self.actors, self.locks, self.readers, self.writer, self.writers, self.queue,
            self.sleepers, self.spent, self.units, self.running, self.buffers,
            self.bounded, self.flag, self.hopeful, self.barrier,
        ) = state  # fmt: skip

    def state(self) -> State:
        return State(
            self.memory, self.actors, self.locks, self.readers, self.writer, self.writers, self.queue,
            self.sleepers, self.spent, self.units, self.running, self.buffers,
            self.bounded, self.flag, self.hopeful, self.barrier,
        )  # fmt: skip

    def misuse(self) -> None:
        self.broken.append("lock.misuse")
