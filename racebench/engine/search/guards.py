"""Finds what prevents a guarded step at a place of an execution that is made of some of its steps.

``there`` are the steps on the guard's key that come before that place, in order; ``latest`` are the same
steps from the last one back.  Each function returns those of them without which the step could come;
none if it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...trace import Kind
from .event import Event, State


def handler(latest: Iterable[int], events: Sequence[Event]) -> list[int]:
    """Return the interrupt that is being handled on the thread's processor."""
    for i in latest:
        return [] if events[i].kind is Kind.RETURN else [i]
    return []


def holder(
    latest: Iterable[int], events: Sequence[Event], states: Sequence[State], first: State
) -> list[int]:
    """Return the take because of which a lock is held; -1 if its holder at the beginning still holds it.

    ``first`` is the holder at the beginning.
    """
    for i in latest:
        kind = events[i].kind
        if kind is Kind.RELEASE:
            return []
        if kind is Kind.WAIT:
            # A misused wait changes nothing.
            if states[i]:
                return []
            continue
        # A try that found the lock taken changed nothing.
        if kind is not Kind.TRY_ACQUIRE or states[i] < 0:
            return [i]
    return [] if first == -1 else [-1]


def taker(there: Iterable[int], states: Sequence[State], count: int) -> list[int]:
    """Return the last step down, after which a semaphore is at 0; -1 if no step there is one.

    ``count`` is the count at the beginning.
    """
    last = -1
    for i in there:
        # `states` holds as in the execution: the steps left out come after all that are there.
        before, count = states[i]
        if count < before:
            last = i
    return [] if count else [last]


def readers_and_writer(there: Iterable[int], events: Sequence[Event], writing: bool) -> list[int]:
    """Return the takes because of which a read-write lock keeps a writer, or a reader, out."""
    held: dict[int, list[int]] = {}
    writer: list[int] = []
    for i in there:
        event = events[i]
        kind, takes = event.kind, held.setdefault(event.proc, [])
        if kind is Kind.ACQUIRE_READ:
            takes.append(i)
        elif kind is Kind.RELEASE_READ:
            del takes[-1:]
        elif kind is Kind.ACQUIRE_WRITE:
            writer = [i]
        elif kind is Kind.RELEASE_WRITE:
            writer = [i for i in writer if events[i].proc != event.proc]
    readers = [i for takes in held.values() for i in takes] if writing else []
    return readers + writer
