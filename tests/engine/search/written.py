"""Executions written down by hand, for what looks at steps and needs no scheduler.

``"a take L"`` is a step of thread a on the lock L; threads are numbered by their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from racebench.engine.search.event import Event
from racebench.engine.search.races import PartialOrder, Race
from racebench.primitives import ops
from racebench.trace import Kind, Op

_FIELDS: dict[tuple[str, str], Op] = {}
_OPS = {
    "take": ops.ACQUIRE,
    "free": ops.RELEASE,
    "try": ops.TRY_ACQUIRE,
    "down": ops.DOWN,
    "up": ops.UP,
    "enter": ops.ACQUIRE_READ,
    "leave": ops.RELEASE_READ,
    "lock": ops.ACQUIRE_WRITE,
    "unlock": ops.RELEASE_WRITE,
    "await": ops.WAIT_UNTIL,
}
_READS = {"read", "enter", "leave", "await"}


def op(verb: str, name: str) -> Op:
    """The operation; one for each access to each field."""
    if verb in ("read", "write"):
        return _FIELDS.setdefault((verb, name), Op(Kind[verb.upper()], name))
    return _OPS[verb]


def event(step: str) -> Event:
    """The event of one step."""
    thread, verb, *names = step.split()
    keys = tuple((name, "") for name in names)
    # A take of what is held already touches nothing.
    reads, writes = (keys, ()) if verb in _READS else ((), keys)
    return Event(ord(thread) - ord("a"), op(verb, names[0] if names else ""), "".join(names), reads, writes)


def events(*steps: str) -> list[Event]:
    return list(map(event, steps))


def log(*steps: str) -> list[tuple[Any, Op, Any]]:
    """The same steps as an execution has them."""
    entries = []
    for step in steps:
        thread, verb, name = step.split()
        task = SimpleNamespace(index=ord(thread) - ord("a"), name=thread)
        entries.append((task, op(verb, name), SimpleNamespace(_rb_id=name, label=lambda name=name: name)))
    return entries


@dataclass
class Written:
    """An execution of locks, semaphores and fields, followed step by step."""

    counts: dict[str, int] = field(default_factory=dict)
    """What semaphores begin with."""

    def __post_init__(self) -> None:
        relation: Any = SimpleNamespace(buffered=False, cpus={})
        self.partial_order = PartialOrder(relation, 4)
        self._owners: dict[str, int] = {}

    def races(self, *steps: str) -> list[Race]:
        """Make all of ``steps``; the races of the last."""
        found: list[Race] = []
        for step in steps:
            made = event(step)
            found = self.partial_order.add(made, self._state(made), (), True)
            self._make(made)
        return found

    def blocked(self, step: str) -> list[Race]:
        """The races of a step that nobody lets happen."""
        made = event(step)
        return self.partial_order.races_of(made, self._state(made))

    def _state(self, made: Event) -> Any:
        if made.ident in self.counts:
            before = self.counts[made.ident]
            return before, before + (1 if made.kind is Kind.UP else -1)
        return self._owners.get(made.ident, -1)

    def _make(self, made: Event) -> None:
        kind, name = made.kind, made.ident
        if kind is Kind.ACQUIRE or (kind is Kind.TRY_ACQUIRE and name not in self._owners):
            self._owners[name] = made.proc
        elif kind is Kind.RELEASE:
            del self._owners[name]
        elif name in self.counts:
            self.counts[name] += 1 if kind is Kind.UP else -1
