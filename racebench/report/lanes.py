"""A schedule as lanes: which steps get a row, which functions are called, which locks are held.

A step on a field that two threads share, or at which the rule breaks, is never folded;
it is shown with its place, its line of source and the locks that its thread holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from ..records import FindingRecord
from .text import clean, clipped, counted, field_value, joined
from .tree import Lanes, Look, Moment, Text, lines, say

TAKES = ("acquire", "acquire_read", "acquire_write")
GIVES = ("release", "release_read", "release_write")
_WRITES = ("write", "update", "store")
_FIELD_OPS = ("read", *_WRITES)
_LOOKS = ("read", "write", "locked")
_LONGEST = 100

Step = Mapping[str, Any]
Locks = tuple[str, ...]
Row = tuple[Moment, Locks, Locks]
"""A moment, and the locks that its thread holds before and after it."""


def lanes(record: FindingRecord, *, full: bool = False) -> Lanes:
    """Unless ``full``, steps that touch neither a lock nor a shared field are folded."""
    done = steps(record)
    threads = tuple(dict.fromkeys(clean(name) for name in (*record.threads, *(s["thread"] for s in done))))
    held: dict[str, Locks] = dict.fromkeys(threads, ())
    moments = []
    for moment, before, after in _rows(record, done, full):
        held[moment.thread] = tuple(dict.fromkeys((*before, *after)))
        moments.append(moment._replace(held=tuple(held.values())))
        held[moment.thread] = after
    return Lanes(threads, moments)


def lock_bars(moments: Sequence[Moment], lanes: int) -> tuple[list[dict[str, int]], dict[str, int]]:
    """The place of each lock's bar in each of the first ``lanes``, and its number, the same in all."""
    places: list[dict[str, int]] = [{} for _ in range(lanes)]
    numbers: dict[str, int] = {}
    for moment in moments:
        for place, held in zip(places, moment.held, strict=False):
            for lock in held:
                place.setdefault(lock, len(place))
                numbers.setdefault(lock, len(numbers))
    return places, numbers


def functions(shown: Lanes) -> list[str]:
    """The functions that ``shown`` names, in order."""
    calls = (span.text for moment in shown.moments for span in moment.text if span.look is Look.CALL)
    return list(dict.fromkeys(call.removesuffix("()") for call in calls))


def steps(record: FindingRecord) -> Sequence[Step]:
    """The recorded steps, or the bare schedule."""
    bare = {"old": "", "new": "", "held": []}
    return record.finding.evidence.get("steps") or [
        {**bare, "thread": thread, "op": op, "object": obj} for thread, op, obj in record.finding.schedule
    ]


def _rows(record: FindingRecord, done: Sequence[Step], full: bool) -> Iterator[Row]:
    deciding = _deciding(record, done)
    unfolded = [full or worth for worth in _worth_showing(record, done, deciding)]
    after = locks_after(done)
    last: dict[str, Locks] = {}
    for thread, run in groupby(range(len(done)), key=lambda at: clean(done[at]["thread"])):
        block = list(run)
        held = _held(done[block[0]])
        text = say(f"── holds {joined(held)}" if held else "──", Look.LOCK)
        yield Moment(thread, text, switch=True), held, held
        yield from _block(done, block, _Shown(unfolded, deciding, after))
        last[thread] = after[block[-1]]
    if record.finding.rule.startswith("deadlock"):
        for edge in record.finding.evidence.get("ring") or ():
            thread, text = (
                clean(edge["thread"]),
                say(f"wants {edge['wants']['lock']}: blocked forever", Look.BAD),
            )
            yield Moment(thread, text), last.get(thread, ()), last.get(thread, ())


class _Shown(NamedTuple):
    """For each step: whether it has a row, whether its place is shown, the locks held after it."""

    unfolded: Sequence[bool]
    deciding: Collection[int]
    after: Sequence[Locks]


def _block(done: Sequence[Step], block: Sequence[int], shown: _Shown) -> Iterator[Row]:
    """One thread's uninterrupted run of steps."""
    call, place = "", ("", "")
    thread = clean(done[block[0]]["thread"])
    for worth, run in groupby(block, key=lambda at: shown.unfolded[at]):
        some = list(run)
        if not worth:
            text = say(f"  ({counted(len(some), 'step')})", Look.DIM)
            folded = [(at + 1, _said(done[at])) for at in some]
            yield Moment(thread, text, folded=folded), _held(done[some[0]]), shown.after[some[-1]]
            continue
        for at in some:
            step = done[at]
            held = _held(step)
            here = clean(step.get("site", "")).rpartition(" (")[0]
            if here and here != call:
                yield Moment(thread, say(f"{here}()", Look.CALL)), held, held
                call = here
            said, there = _said(step), _place(step)
            if at in shown.deciding and step["op"] in _FIELD_OPS and there[0] and there != place:
                code = [_code(there[1])] if there[1] else []
                said = lines([said, say(f"    {there[0]}, {_holding(held)}", Look.DIM), *code])
                place = there
            yield Moment(thread, said, at + 1), held, shown.after[at]


def _place(step: Step) -> tuple[str, str]:
    """``cache.py:25`` and the line of source there; empty if not recorded."""
    site, code = clean(step.get("site", "")), clean(step.get("code", ""))
    return site.rpartition(" (")[2].removesuffix(")"), clipped(code, _LONGEST)


def _code(line: str) -> Text:
    return say(f"    {line}", Look.CODE)


def _holding(held: Locks) -> str:
    return f"holding {joined(held)}" if held else "holding no lock"


def _deciding(record: FindingRecord, done: Sequence[Step]) -> set[int]:
    """The steps on shared fields, the step at which the rule breaks, and where a passing schedule differs."""
    evidence = record.finding.evidence
    shared, passing = _meeting(done), evidence.get("passing")
    breaks_at = None if record.finding.rule.startswith("deadlock") else len(done) - 1
    points = (breaks_at, passing["at"] if passing else None)
    found = {at for at in points if at is not None and 0 <= at < len(done)}
    return found | {at for at, step in enumerate(done) if step["object"] in shared}


def _worth_showing(record: FindingRecord, done: Sequence[Step], deciding: Collection[int]) -> list[bool]:
    """For each step, whether it gets a row.

    If no thread is interrupted, the order of whole operations explains the finding, not
    the order of steps: then every write that changes a value gets a row.
    """
    alone = record.finding.evidence.get("preemptions") == 0
    return [
        at in deciding
        or step["op"] not in _LOOKS
        or (alone and step["op"] == "write" and step["old"] != step["new"])
        for at, step in enumerate(done)
    ]


def _held(step: Step) -> Locks:
    return tuple(clean(lock) for lock in step["held"])


def locks_after(done: Sequence[Step]) -> list[Locks]:
    """The locks that each step's thread holds after it: those before the thread's next step."""
    after: list[Locks] = []
    following: dict[str, Locks] = {}
    for step in reversed(done):
        held, lock = _held(step), clean(step["object"])
        ends = following.get(step["thread"])
        if ends is None:
            ends = tuple(other for other in held if step["op"] not in GIVES or other != lock)
            ends += (lock,) if step["op"] in TAKES else ()
        after.append(ends)
        following[step["thread"]] = held
    return after[::-1]


def _meeting(done: Sequence[Step]) -> set[str]:
    """The fields that one thread writes and another one touches."""
    touched: dict[str, set[str]] = {}
    for step in done:
        if step["op"] in _FIELD_OPS:
            touched.setdefault(step["object"], set()).add(step["thread"])
    return {s["object"] for s in done if s["op"] in _WRITES and len(touched[s["object"]]) > 1}


def _said(step: Step) -> Text:
    op = step["op"]
    look = Look.STRONG if op in (*TAKES, *GIVES) else Look.PLAIN
    return say(f"  {clean(op)} {clean(step['object'])}", look) + _value(step)


def _value(step: Step) -> Text:
    """`` = old`` for a read, ``: old → new`` for a write, ``: new`` for a value in a store buffer."""
    old, new = field_value(step["old"]), field_value(step["new"])
    if step["op"] == "read" and old:
        return say(f" = {old}", Look.DIM)
    if step["op"] == "write" and (old or new):
        return say(f": {old} → {new}", Look.WRITE)
    if step["op"] == "store" and new:
        return say(f": {new} (buffered)", Look.DIM)
    return ()
