"""A schedule as a table: a lane a thread, time going down, beside it the locks that are held.

Steps that are folded unfold in their lane, without a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ... import tree
from .stepper import stepper
from .words import escaped, spans, wide

_MOST_MOMENTS, _MOST_THREADS = 1500, 24
_SLOTS, _COLOURS = 6, 6


def lanes(shown: tree.Lanes, anchor: str = "") -> str:
    """Beside what each thread does stands a bar for each lock that it holds meanwhile."""
    threads = shown.threads[:_MOST_THREADS]
    # In its lane a lock has a place, in all lanes a colour.
    slots: list[dict[str, int]] = [{} for _ in threads]
    colours: dict[str, int] = {}
    for moment in shown.moments:
        for slot, held in zip(slots, moment.held, strict=False):
            for lock in held:
                slot.setdefault(lock, len(slot))
                colours.setdefault(lock, len(colours))
    heads = "".join(
        f"<th{_room(slot)}>{escaped(name)}</th>" for name, slot in zip(threads, slots, strict=True)
    )
    rows = []
    for moment in shown.moments[:_MOST_MOMENTS]:
        number = f'<td class="number">{_step(moment.number, anchor)}</td>'
        said = [_said(moment, anchor) if name == moment.thread else "" for name in threads]
        cells = "".join(_lane(moment, i, said[i], slots[i], colours) for i in range(len(threads)))
        kind = ' class="switch"' if moment.switch else ""
        place = f' id="{anchor}-r{moment.number}"' if anchor and moment.number else ""
        rows.append(f"<tr{place}{kind}>{number}{cells}</tr>")
    left_out = len(shown.moments) - _MOST_MOMENTS
    more = f"\n<p>{left_out:,} more rows: racebench explain --full</p>" if left_out > 0 else ""
    table = wide("lanes", f'<tr><th class="number">step</th>{heads}</tr>', rows)
    return (stepper(shown.walk, anchor) if shown.walk and anchor else "") + table + more


def _step(number: int, anchor: str) -> str:
    """The number of a step, which leads to it in the stepper."""
    return f'<a href="#{anchor}-s{number}">{number}</a>' if anchor and number else str(number or "")


def _room(slots: Mapping[str, int], runs: bool = False) -> str:
    """The class of what leaves room for the bars of its lane."""
    names = [*(["runs"] if runs else []), *([f"p{min(len(slots), _SLOTS)}"] if slots else [])]
    return f' class="{" ".join(names)}"' if names else ""


def _lane(
    moment: tree.Moment, i: int, said: str, slots: Mapping[str, int], colours: Mapping[str, int]
) -> str:
    """``said`` is what the lane's thread does, empty if it is another's turn."""
    bars = "".join(_bars(moment.held[i], slots, colours))
    return f"<td{_room(slots, bool(said))}>{bars}{said}</td>"


def _said(moment: tree.Moment, anchor: str) -> str:
    text = spans(moment.text)
    if not moment.folded:
        return text
    inside = "".join(f"<li>{_step(number, anchor)} {spans(said)}</li>" for number, said in moment.folded)
    return f"<details><summary>{text}</summary><ul>{inside}</ul></details>"


def _bars(held: Iterable[str], slots: Mapping[str, int], colours: Mapping[str, int]) -> Iterator[str]:
    for lock in held:
        slot, colour = min(slots[lock], _SLOTS - 1), colours[lock] % _COLOURS
        yield f'<i class="c{colour} s{slot}" title="holds {escaped(lock)}"></i>'
