"""Wakeup trees: which sequences are still to be explored from a state.

After Abdulla, Aronis, Jonsson and Sagonas, "Optimal dynamic partial order
reduction" (POPL 2014, JACM 2017).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .event import Event, dependent


class Branch:
    """A first step and what may come after it, in the order to be explored."""

    __slots__ = ("children", "event")

    def __init__(self, event: Event, children: list[Branch] | None = None) -> None:
        self.event = event
        self.children: list[Branch] = children if children is not None else []


def position(event: Event, sequence: Sequence[Event]) -> int | None:
    """Return the index of the first step of the event's thread in ``sequence``, if it can go first there.

    -1 if the thread makes no step there but its event commutes with all of it; None if the thread is no weak
    initial of the sequence.
    """
    for i, other in enumerate(sequence):
        if other.proc == event.proc:
            # Its thread offers that same first step now: it depends on its own past alone.
            return None if any(dependent(other, sequence[j]) for j in range(i)) else i
    return None if any(dependent(event, other) for other in sequence) else -1


def covered(sequence: Sequence[Event], asleep: Iterable[Event]) -> bool:
    """Return whether a thread in the sleep set could go first: then the sequence was explored."""
    return any(position(event, sequence) is not None for event in asleep)


def place(tree: list[Branch], sequence: list[Event]) -> tuple[list[Branch], list[Event]] | None:
    """Return where ``sequence`` belongs in ``tree``, and its new part; None if the tree has an equivalent."""
    rest = list(sequence)
    while True:
        for branch in tree:
            at = position(branch.event, rest)
            if at is None:
                continue
            if at >= 0:
                del rest[at]
            # Below a leaf the search chooses freely and reverses the races that it finds, so a leaf stands
            # for all sequences that begin like it; and with nothing left the tree has the whole sequence.
            if not branch.children or not rest:
                return None
            tree = branch.children
            break
        else:
            # The last sibling: those before it sleep by then, so that it does not repeat what is theirs.
            return tree, rest


def insert(tree: list[Branch], rest: list[Event]) -> None:
    """Add ``rest`` at the place that ``place`` returned."""
    # No branch there is like it, so it becomes one new line: a later sequence branches off where it
    # differs.
    for event in rest:
        branch = Branch(event)
        tree.append(branch)
        tree = branch.children
