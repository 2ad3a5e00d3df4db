"""Operations, steps and schedules.

A schedule is a tuple of (thread, operation, object) triples of strings.  It
holds no counter, address or bytecode offset, so it survives JSON, a new
Python and an edit of the program that leaves its steps alone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ResultError

Schedule = tuple[tuple[str, str, str], ...]


class Kind(enum.Enum):
    """What a step does to its object."""

    READ = "read"
    WRITE = "write"
    ACQUIRE = "acquire"
    TRY_ACQUIRE = "try_acquire"
    RELEASE = "release"
    LOCKED = "locked"
    ACQUIRE_READ = "acquire_read"
    RELEASE_READ = "release_read"
    ACQUIRE_WRITE = "acquire_write"
    RELEASE_WRITE = "release_write"
    WAIT = "wait"
    NOTIFY = "notify"
    NOTIFY_ALL = "notify_all"
    DOWN = "down"
    TRY_DOWN = "try_down"
    UP = "up"
    WAIT_UNTIL = "wait_until"


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the code under test."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.function} ({self.file}:{self.line})"


@dataclass(slots=True)
class Step:
    """One executed step, as a detailed replay records it.

    ``old`` and ``new`` are reprs of the field's value around the step, empty
    for operations that are not on fields.  ``held`` lists the locks that the
    thread held when the step began, outermost first.
    """

    thread: str
    kind: Kind
    object: str
    lock_class: str
    site: Site
    stack: tuple[Site, ...]
    held: tuple[str, ...]
    atomic: bool = False
    old: str = ""
    new: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "thread": self.thread,
            "op": self.kind.value,
            "object": self.object,
            "site": str(self.site),
            "stack": [s.function for s in self.stack],
            "old": self.old,
            "new": self.new,
            "held": list(self.held),
        }


def schedule_from_json(value: Any, file: str) -> Schedule:
    """The schedule in a stored ``value``; ResultError if it is not one."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ResultError(f"{file}: schedule: not a list. Store the finding again.")
    steps: list[tuple[str, str, str]] = []
    for i, entry in enumerate(value):
        if (
            not isinstance(entry, Sequence)
            or len(entry) != 3
            or not all(isinstance(part, str) for part in entry)
        ):
            raise ResultError(
                f"{file}: schedule[{i}]: not a [thread, operation, object] of three strings. "
                "Store the finding again."
            )
        steps.append((entry[0], entry[1], entry[2]))
    return tuple(steps)


def switches(schedule: Iterable[tuple[str, str, str]]) -> int:
    """How often ``schedule`` goes from one thread to another."""
    count, last = 0, None
    for thread, _, _ in schedule:
        if last is not None and thread != last:
            count += 1
        last = thread
    return count
