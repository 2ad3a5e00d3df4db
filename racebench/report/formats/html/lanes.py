"""A schedule as a table: a lane for each thread, time going down, and bars for the locks held.

Folded steps unfold in their lane, without a script.  The stepper's script turns
each step's number into a link to it; without the script there is no stepper to link to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ... import tree
from ...lanes import lock_bars
from .stepper import stepper
from .words import escaped, spans, wide

_MOST_MOMENTS, _MOST_THREADS = 1500, 24
_SLOTS, _COLOURS = 6, 6


def lanes(shown: tree.Lanes, anchor: str = "") -> str:
    """Draw the lanes; beside a thread's steps there is a bar for each lock that it holds."""
    threads = shown.threads[:_MOST_THREADS]
    slots, colours = lock_bars(shown.moments, len(threads))
    heads = "".join(f"<th>{escaped(name)}</th>" for name in threads)
    rows = []
    for moment in shown.moments[:_MOST_MOMENTS]:
        said = [_said(moment) if name == moment.thread else "" for name in threads]
        cells = "".join(_lane(moment.held[i], said[i], slots[i], colours) for i in range(len(threads)))
        kind = ' class="switch"' if moment.switch else ""
        rows.append(f"<tr{kind}><td>{moment.number or ''}</td>{cells}</tr>")
    left_out = len(shown.moments) - _MOST_MOMENTS
    more = f"\n<p>{left_out:,} more rows: racebench explain --full</p>" if left_out > 0 else ""
    # Every lane leaves the same room for bars, so one class on the table sets it.
    room = min(max(map(len, slots), default=0), _SLOTS)
    table = wide(f"lanes p{room}", f"<tr><th>step</th>{heads}</tr>", rows)
    return (stepper(shown.walk, anchor) if shown.walk and anchor else "") + table + more + _legend(colours)


def _lane(held: Iterable[str], said: str, slots: Mapping[str, int], colours: Mapping[str, int]) -> str:
    """One cell; ``said`` is what the lane's thread does, empty if another thread takes the step."""
    bars = "".join(
        f'<i class="{_colour(colours[lock])} s{min(slots[lock], _SLOTS - 1)}"></i>' for lock in held
    )
    return f'<td class="runs">{bars}{said}</td>' if said else f"<td>{bars}</td>"


def _said(moment: tree.Moment) -> str:
    text = spans(moment.text)
    if not moment.folded:
        return text
    inside = "".join(f"<li>{number} {spans(said)}</li>" for number, said in moment.folded)
    return f"<details><summary>{text}</summary><ul>{inside}</ul></details>"


def _legend(colours: Mapping[str, int]) -> str:
    """Which lock each colour stands for; once, because every row may have a bar for every lock."""
    locks = " ".join(f'<b class="{_colour(n)}">{escaped(lock)}</b>' for lock, n in colours.items())
    return f'\n<p class="locks">held: {locks}</p>' if locks else ""


def _colour(number: int) -> str:
    return f"c{number % _COLOURS}"
