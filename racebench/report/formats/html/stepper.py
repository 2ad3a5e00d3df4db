"""The data of a schedule through which the page's script steps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...tree import ARROW, Frame, Walk


def stepper(walk: Walk, anchor: str) -> str:
    """A place for the stepper of the finding at ``anchor``, with its data; empty without a script."""
    places = {frame.place: 0 for frame in (*walk.failing, *walk.passing)}
    places.update({place: n for n, place in enumerate(places)})
    data = {
        "threads": walk.threads,
        "start": walk.start,
        "places": list(places),
        "failing": list(_steps(walk.failing, walk.threads, places, 0)),
        "at": walk.at,
        "passing": list(_steps(walk.passing, walk.threads, places, walk.at)),
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    # A script element has no escapes, so no text in it may look like the element's end.
    text = text.replace("<", "\\u003c")
    script = f'<script type="application/json">{text}</script>'
    return f'<div class="stepper" data-anchor="{anchor}">{script}</div>\n'


def _steps(
    frames: Sequence[Frame], threads: Sequence[str], places: Mapping[str, int], since: int
) -> Iterator[list[Any]]:
    """[thread, what it does, value, place, its locks, waits, its field's value afterwards] of each step.

    Threads and places are given as indexes into their lists.  In a step nothing changes for
    the other threads except the waits: each is a thread, a lock and its holder or -1.  0 stands
    for the locks that the thread held before, and for the value of a step without a field.
    Last items are left out where they are as usual: the same locks, no waits, the value that the
    step wrote or read.
    """
    number = {name: i for i, name in enumerate(threads)}
    before = frames[since - 1].held if since else [()] * len(threads)
    for frame in frames[since:]:
        mine = number[frame.thread]
        waits = [[number.get(w.thread, -1), w.lock, number.get(w.holder, -1)] for w in frame.waits]
        held = 0 if frame.held[mine] == before[mine] else frame.held[mine]
        left = 0 if frame.left is None else frame.left[1]
        step = [mine, frame.does, frame.value, places[frame.place], held, waits, left]
        usually: tuple[Any, ...] = (frame.value.rpartition(ARROW)[2] or 0, [], 0)
        for usual in usually:
            if step[-1] != usual:
                break
            step.pop()
        yield step
        before = frame.held
