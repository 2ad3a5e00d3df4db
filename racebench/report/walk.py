"""A schedule step by step: the state after each step, so that a reader can step through it.

What the evidence does not contain is derived from its steps.  A field has the value
that the last step on it left.  A thread waits if its next step takes a lock that another
thread holds: from the end of its last step each thread stands before its next step,
so it cannot be elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..records import FindingRecord
from .lanes import GIVES, TAKES, Locks, Step, locks_after, steps
from .text import clean, clipped, field_value
from .tree import ARROW, Frame, Wait, Walk

_MOST_STEPS, _MOST_CHARS = 1500, 160
_CHANGES = ("write", "update")
_UNKNOWN = "?"


def walk(record: FindingRecord) -> Walk | None:
    """The failing schedule, and the nearest passing one if known; None if there are no steps."""
    failing = steps(record)[:_MOST_STEPS]
    if not failing:
        return None
    threads = tuple(dict.fromkeys(clean(n) for n in (*record.threads, *(s["thread"] for s in failing))))
    at, passing = _passing(record, failing)
    names = tuple(dict.fromkeys((*threads, *(clean(step["thread"]) for step in passing))))
    frames = _frames(names, failing, _ends(record))
    return Walk(names, _start((*failing, *passing)), frames, at, _frames(names, passing, {}))


def _passing(record: FindingRecord, failing: Sequence[Step]) -> tuple[int, Sequence[Step]]:
    """The step at which the nearest passing schedule leaves ``failing``, and all its steps.

    If its own steps were not stored, their values are unknown after the common part.
    """
    passing = record.finding.evidence.get("passing")
    if not passing or not 0 <= passing["at"] < len(failing):
        return 0, ()
    at = passing["at"]
    rest = passing.get("rest") or _bare(passing["schedule"][at:], failing[:at])
    return at, (*failing[:at], *rest)[:_MOST_STEPS]


def _bare(schedule: Sequence[Sequence[str]], before: Sequence[Step]) -> Sequence[Step]:
    """Steps of which only thread, operation and object are known; the locks follow from them."""
    held: dict[str, list[str]] = {}
    for step, after in zip(before, locks_after(before), strict=True):
        held[step["thread"]] = list(after)
    steps: list[Step] = []
    for thread, op, obj in schedule:
        mine = held.setdefault(thread, [])
        value = _UNKNOWN if op in _CHANGES else ""
        steps.append({"thread": thread, "op": op, "object": obj, "old": "", "new": value, "held": [*mine]})
        if op in TAKES:
            mine.append(obj)
        elif op in GIVES and obj in mine:
            mine.remove(obj)
    return steps


def _ends(record: FindingRecord) -> Mapping[str, Wait]:
    """The lock that each thread still wants at the end of the failing schedule."""
    evidence = record.finding.evidence
    if not record.finding.rule.startswith("deadlock"):
        return {}
    edges = evidence.get("ring") or evidence.get("waiting") or ()
    waits = (
        Wait(clean(edge["thread"]), clean(edge["wants"]["lock"]), clean(edge.get("holder") or ""))
        for edge in edges
    )
    return {wait.thread: wait for wait in waits}


def _start(done: Sequence[Step]) -> dict[str, str]:
    """The value of each field before the first step, as far as the steps show it."""
    start: dict[str, str] = {}
    for step in done:
        if step["op"] in ("read", *_CHANGES):
            start.setdefault(clean(step["object"]), _value(step["old"]) or _UNKNOWN)
    return start


def _frames(threads: Sequence[str], done: Sequence[Step], ends: Mapping[str, Wait]) -> list[Frame]:
    after = locks_after(done)
    held: dict[str, Locks] = dict.fromkeys(threads, ())
    shared: set[tuple[str, str]] = set()
    frames = []
    for at, (step, coming) in enumerate(zip(done, _coming(done), strict=True)):
        thread, lock = clean(step["thread"]), clean(step["object"])
        held[thread] = after[at]
        if step["op"] in TAKES:
            shared.discard((thread, lock))
            shared |= {(thread, lock)} if step["op"] == "acquire_read" else set()
        waits = list(_waits(coming, held, shared, ends))
        does, place, now = f"{clean(step['op'])} {lock}", clean(step.get("site", "")), tuple(held.values())
        frames.append(Frame(thread, does, _said(step), place, now, waits, _left(step)))
    return frames


def _coming(done: Sequence[Step]) -> list[dict[str, Step]]:
    """For each position in the schedule, the next step of every thread that has one."""
    coming: dict[str, Step] = {}
    later = []
    for step in reversed(done):
        later.append(dict(coming))
        coming[clean(step["thread"])] = step
    return later[::-1]


def _waits(
    coming: Mapping[str, Step],
    held: Mapping[str, Locks],
    shared: set[tuple[str, str]],
    ends: Mapping[str, Wait],
) -> Iterator[Wait]:
    """Which thread waits for which one now.  Readers of one lock do not wait for each other."""
    for thread in held:
        step = coming.get(thread)
        if step is not None and step["op"] not in TAKES:
            continue
        if step is None and thread not in ends:
            continue
        lock = clean(step["object"]) if step is not None else ends[thread].lock
        reads = step is not None and step["op"] == "acquire_read"
        holders = [
            other
            for other, locks in held.items()
            if other != thread and lock in locks and not (reads and (other, lock) in shared)
        ]
        yield from (Wait(thread, lock, holder) for holder in holders)
        if step is None and not holders and not coming:
            # A condition or semaphore, which no thread holds, or a lock that the thread itself holds.
            yield ends[thread]


def _said(step: Step) -> str:
    """``old → new`` of a write, the value of a read."""
    old, new = _value(step["old"]), _value(step["new"])
    if step["op"] in _CHANGES and (old or new):
        return f"{old or _UNKNOWN}{ARROW}{new or _UNKNOWN}"
    return f"{new} (buffered)" if step["op"] == "store" and new else old if step["op"] == "read" else ""


def _left(step: Step) -> tuple[str, str] | None:
    """The field that the step touches, and its value afterwards."""
    if step["op"] in _CHANGES:
        return clean(step["object"]), _value(step["new"]) or _UNKNOWN
    if step["op"] == "read" and step["old"]:
        return clean(step["object"]), _value(step["old"])
    return None


def _value(value: Any) -> str:
    return clipped(field_value(value), _MOST_CHARS)
