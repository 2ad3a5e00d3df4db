"""One cheap pass over an execution, which usually saves the detectors theirs.

Most executions take plain locks, one after another, and use fields while they hold
them.  For such an execution this pass, without clocks, answers the detectors' first
questions:
- **Is each field that threads share used under one lock, always the same?**  Then there
  is no data race.  Take two uses by different threads, both with that lock held; no other
  thread holds it then, and none but the holder releases it.  One use comes before a
  release, and that release before the other thread's acquire: so the lock orders them.
- **Which lock classes are wanted with which held?**  Any cycle is made of these pairs.

Where locks are used in other ways (shared, taken again, released by any thread, in an
interrupt, by a wait, misused), and where stores are delayed, there is no survey: the
detectors do their own work.  Other ordering operations are not needed here, and skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..trace import Execution, Kind

_SHARED = -1
_OTHERWISE = {
    *(Kind.ACQUIRE_READ, Kind.ACQUIRE_WRITE, Kind.RELEASE_READ, Kind.RELEASE_WRITE),
    *(Kind.REQUEST_READ, Kind.REQUEST_WRITE, Kind.WAIT, Kind.INTERRUPT, Kind.RETURN, Kind.STORE, Kind.FENCE),
}
"""Kinds of steps that make a survey impossible."""


class Survey(NamedTuple):
    """``guarded``: no field has a data race.  ``nested`` has (class held, class wanted)."""

    guarded: bool
    nested: set[tuple[str, str]]


class _Use:
    """A field: its only thread or ``_SHARED``, whether it is written, the locks held at all uses (bits)."""

    __slots__ = ("locks", "thread", "written")

    def __init__(self, thread: int, written: bool, locks: int) -> None:
        self.thread, self.written, self.locks = thread, written, locks


def survey(execution: Execution) -> Survey | None:
    """The survey of ``execution``, or None; computed once and shared by all detectors."""
    if not execution.surveys:
        execution.surveys.append(_survey(execution))
    found: Survey | None = execution.surveys[0]
    return found


def _survey(execution: Execution) -> Survey | None:
    bits: dict[int, int] = {}
    held = [0] * execution.threads
    classes: list[list[tuple[int, str]]] = [[] for _ in held]
    uses: dict[tuple[int, str], _Use] = {}
    nested: set[tuple[str, str]] = set()
    taken = 0
    for actor, op, obj in execution.steps:
        i = actor.index
        if op.is_field:
            if op.apart:
                return None
            if op.atomic or op.inside:
                continue
            key = id(obj), op.field
            use = uses.get(key)
            if use is None:
                uses[key] = _Use(i, op.writes, held[i])
                continue
            use.locks &= held[i]
            if use.thread != i:
                use.thread = _SHARED
            if op.writes:
                use.written = True
            continue
        kind = op.kind
        if kind is Kind.RELEASE:
            bit = bits.get(id(obj), 0)
            if not held[i] & bit:
                return None
            held[i] ^= bit
            taken ^= bit
            classes[i] = [pair for pair in classes[i] if pair[0] != bit]
            continue
        if kind is not Kind.ACQUIRE and kind is not Kind.TRY_ACQUIRE:
            if kind in _OTHERWISE:
                return None
            continue
        bit = bits.get(id(obj), 0)
        if not bit:
            if obj.recursive or not obj.strict:
                return None
            bit = bits[id(obj)] = 1 << len(bits)
        if kind is Kind.ACQUIRE:
            if taken & bit:
                return None
            for _, cls in classes[i]:
                nested.add((cls, obj.cls))
        elif taken & bit:
            continue
        held[i] |= bit
        taken |= bit
        classes[i].append((bit, obj.cls))
    if not _wanted(execution.blocked, bits, classes, nested):
        return None
    guarded = all(use.locks or use.thread != _SHARED or not use.written for use in uses.values())
    return Survey(guarded, nested)


def _wanted(
    blocked: Sequence[tuple[Any, Any, Any]],
    bits: dict[int, int],
    classes: list[list[tuple[int, str]]],
    nested: set[tuple[str, str]],
) -> bool:
    """Add the locks that threads want at the end to ``nested``; False if there are other kinds of waits."""
    for actor, op, obj in blocked:
        if op.kind is Kind.ACQUIRE:
            own = classes[actor.index]
            if obj.recursive or not obj.strict or any(bit == bits.get(id(obj)) for bit, _ in own):
                return False
            nested.update((cls, obj.cls) for _, cls in own)
        elif op.kind in _OTHERWISE:
            return False
    return True
