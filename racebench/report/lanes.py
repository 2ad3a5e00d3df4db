"""A schedule as rows of swimlanes: plain data that a format draws in its own way."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from .text import clean, counted, field_value

FIELD_OPS = ("read", "write")
LOOKS = (*FIELD_OPS, "locked")
TAKES = ("acquire", "acquire_read", "acquire_write")
GIVES = ("release", "release_read", "release_write")

Step = Mapping[str, Any]


class Kind(enum.Enum):
    """What a row tells."""

    SWITCH = "switch"
    CALL = "call"
    STEP = "step"
    FOLDED = "folded"
    WANTS = "wants"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of one thread.  ``held`` and ``after`` are its locks before and after it."""

    kind: Kind
    thread: str
    text: str
    number: int = 0
    op: str = ""
    value: str = ""
    held: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def threads(finding: Mapping[str, Any]) -> list[str]:
    """The columns: as the finding names them, and any that only its steps name."""
    named = [*(finding.get("threads") or ()), *(step["thread"] for step in steps(finding))]
    return list(dict.fromkeys(clean(name) for name in named))


def steps(finding: Mapping[str, Any]) -> list[Step]:
    """The recorded steps, or the bare schedule."""
    recorded = finding["evidence"].get("steps")
    if recorded:
        return list(recorded)
    bare = {"old": "", "new": "", "held": [], "stack": []}
    return [{**bare, "thread": t, "op": op, "object": obj} for t, op, obj in finding["schedule"]]


def rows(finding: Mapping[str, Any], *, full: bool = False) -> list[Row]:
    """Time going down.  Unless ``full``, steps that neither touch a lock nor meet another's are folded.

    Where no thread is interrupted the order of operations is the story, not
    that of steps: then every write that changes something is told.
    """
    done = steps(finding)
    told = [full or told for told in _telling(done, finding["evidence"].get("preemptions") == 0)]
    # Where it breaks, and where a schedule that passes parts from it, is the point of it all.
    passing = finding["evidence"].get("passing")
    breaks_at = None if str(finding["rule"]).startswith("deadlock") else len(told) - 1
    for at in (breaks_at, passing.get("at") if isinstance(passing, Mapping) else None):
        if isinstance(at, int) and 0 <= at < len(told):
            told[at] = True
    after = _after(done)
    made: list[Row] = []
    first = 0
    for thread, run in groupby(done, key=lambda s: clean(s["thread"])):
        block = list(run)
        held = _held(block[0])
        made.append(Row(Kind.SWITCH, thread, "", held=held, after=held))
        made += _block(thread, block, first, told, after)
        first += len(block)
    for edge in finding["evidence"].get("ring") or ():
        if not str(finding["rule"]).startswith("deadlock"):
            break
        thread = clean(edge["thread"])
        held = next((row.after for row in reversed(made) if row.thread == thread), ())
        text = f"wants {clean(edge['wants']['lock'])}: blocked for ever"
        made.append(Row(Kind.WANTS, thread, text, held=held, after=held))
    return made


def functions(shown: Iterable[Row]) -> list[str]:
    """The functions that ``shown`` names, in their order."""
    return list(dict.fromkeys(row.text.removesuffix("()") for row in shown if row.kind is Kind.CALL))


def _held(step: Step) -> tuple[str, ...]:
    return tuple(clean(lock) for lock in step["held"])


def _after(done: Sequence[Step]) -> list[tuple[str, ...]]:
    """The locks each step's thread holds once it is done: what its next step begins with."""
    after: list[tuple[str, ...]] = []
    following: dict[str, tuple[str, ...]] = {}
    for step in reversed(done):
        held, lock = _held(step), clean(step["object"])
        ends = following.get(step["thread"])
        if ends is None:
            ends = held
            if step["op"] in TAKES:
                ends = (*held, lock)
            elif step["op"] in GIVES:
                ends = tuple(other for other in held if other != lock)
        after.append(ends)
        following[step["thread"]] = held
    return after[::-1]


def _meeting(done: Sequence[Step]) -> set[str]:
    """The fields that one thread writes and another touches."""
    touched: dict[str, set[str]] = {}
    for step in done:
        if step["op"] in FIELD_OPS:
            touched.setdefault(step["object"], set()).add(step["thread"])
    written = {step["object"] for step in done if step["op"] == "write"}
    return {name for name in written if len(touched[name]) > 1}


def _telling(done: Sequence[Step], changes: bool) -> Iterator[bool]:
    """Of each step whether it is worth a row; ``changes``: every write that changes a value is."""
    shared = _meeting(done)
    for step in done:
        changed = changes and step["op"] == "write" and step["old"] != step["new"]
        yield step["op"] not in LOOKS or step["object"] in shared or changed


def _block(
    thread: str, block: Sequence[Step], first: int, told: Sequence[bool], after: Sequence[tuple[str, ...]]
) -> Iterator[Row]:
    """One thread's uninterrupted run of steps."""
    call = ""
    folded: Row | None = None
    dull = 0
    for at, step in enumerate(block, first):
        held = _held(step)
        if not told[at]:
            dull += 1
            folded = folded or Row(Kind.FOLDED, thread, "", held=held)
            folded = replace(folded, text=f"({counted(dull, 'step')})", after=after[at])
            continue
        if folded is not None:
            yield folded
            folded, dull = None, 0
        here = clean(step["stack"][-1]) if step["stack"] else ""
        if here and here != call:
            yield Row(Kind.CALL, thread, f"{here}()", held=held, after=held)
            call = here
        op = clean(step["op"])
        text = f"{op} {clean(step['object'])}"
        yield Row(Kind.STEP, thread, text, at + 1, op, _value(step), held, after[at])
    if folded is not None:
        yield folded


def _value(step: Step) -> str:
    """`` = old`` of a read, ``: old → new`` of a write, ``: new`` of what waits in a store buffer."""
    old, new = field_value(step["old"]), field_value(step["new"])
    if step["op"] == "read" and old:
        return f" = {old}"
    if step["op"] == "write" and (old or new):
        return f": {old} → {new}"
    if step["op"] == "store" and new:
        return f": {new} (buffered)"
    return ""
