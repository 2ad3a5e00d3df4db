"""Swimlanes as an inline SVG; its colours are classes of the page around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .lanes import GIVES, TAKES, Kind, Row, rows, threads
from .text import clipped, joined

_MOST_ROWS, _MOST_THREADS, _MOST_CHARS = 1500, 24, 60
_ROW, _CHAR, _GUTTER, _TOP = 18, 7.3, 44, 30
_BAR, _COLOURS = 8, 6


def lanes_svg(finding: Mapping[str, Any]) -> str:
    """One column a thread, held locks as bars beside its steps, a shade where it runs."""
    names, drawn = threads(finding)[:_MOST_THREADS], rows(finding)
    left_out = max(0, len(drawn) - _MOST_ROWS)
    drawn = drawn[:_MOST_ROWS]
    bars = {name: _bars(drawn, name) for name in names}
    x, lanes = float(_GUTTER), {}
    for name in names:
        lane = _Lane(name, x, bars[name], drawn)
        lanes[name] = lane
        x += lane.width
    locks = list(dict.fromkeys(bar.lock for name in names for bar in bars[name]))
    height = _TOP + _ROW * (len(drawn) + 1 + bool(left_out))
    parts = [
        f'<svg class="lanes" role="img" aria-label="schedule as swimlanes" '
        f'width="{x:.0f}" height="{height}" viewBox="0 0 {x:.0f} {height}">'
    ]
    parts += [_shade(drawn, lanes, x)]
    parts += [lane.head(height) for lane in lanes.values()]
    parts += [bar.drawn(lanes[name].x, locks.index(bar.lock)) for name in names for bar in bars[name]]
    parts += [
        _row(row, _TOP + _ROW * i, lanes[row.thread]) for i, row in enumerate(drawn) if row.thread in lanes
    ]
    if left_out:
        parts.append(
            _text(_GUTTER, height - 6, "folded", f"{left_out:,} more rows: racebench explain --full")
        )
    return "\n".join([*parts, "</svg>"])


class _Bar:
    """A lock held by one thread from one row to another, in a slot of its lane."""

    def __init__(self, lock: str, first: int, slot: int) -> None:
        self.lock, self.first, self.last, self.slot = lock, first, first, slot

    def drawn(self, x: float, colour: int) -> str:
        y = _TOP + _ROW * self.first + 4
        high = max(_ROW - 8, _ROW * (self.last - self.first) + 10)
        return (
            f'<rect class="lock c{colour % _COLOURS}" x="{x + 6 + self.slot * _BAR:.1f}" y="{y}" '
            f'width="5" height="{high}" rx="2"><title>holds {escape(clipped(self.lock, 300))}</title></rect>'
        )


def _bars(drawn: Sequence[Row], name: str) -> list[_Bar]:
    """A bar begins in the row that takes its lock, and ends in the one that gives it back."""
    open_: dict[str, _Bar] = {}
    made: list[_Bar] = []
    for i, row in enumerate(drawn):
        if row.thread != name:
            continue
        for lock in {**dict.fromkeys(row.held), **dict.fromkeys(row.after)}:
            if lock not in open_:
                used = {bar.slot for bar in open_.values()}
                slot = next(n for n in range(len(used) + 1) if n not in used)
                open_[lock] = _Bar(lock, i, slot)
                made.append(open_[lock])
        for lock in list(open_):
            open_[lock].last = i
            if lock not in row.after:
                del open_[lock]
    for bar in open_.values():
        bar.last = max(bar.last, len(drawn) - 1)
    return made


class _Lane:
    def __init__(self, name: str, x: float, bars: Sequence[_Bar], drawn: Sequence[Row]) -> None:
        self.name, self.x = name, x
        self.text_x = x + 10 + _BAR * (1 + max((bar.slot for bar in bars), default=-1))
        longest = max((len(_said(r)) + 2 for r in drawn if r.thread == name), default=0)
        chars = min(_MOST_CHARS, max(longest, len(name), 16))
        self.width = self.text_x - x + chars * _CHAR + 8

    def head(self, height: int) -> str:
        name = _text(self.text_x, 18, "thread", self.name)
        return f'<line class="edge" x1="{self.x:.1f}" x2="{self.x:.1f}" y1="6" y2="{height}"/>{name}'


def _shade(drawn: Sequence[Row], lanes: Mapping[str, _Lane], width: float) -> str:
    """Where each thread runs, and a line at each switch."""
    parts = []
    starts = [i for i, row in enumerate(drawn) if row.kind is Kind.SWITCH]
    ends = next((i for i, row in enumerate(drawn) if row.kind is Kind.WANTS), len(drawn))
    for i, end in zip(starts, [*starts[1:], ends], strict=False):
        lane, y = lanes.get(drawn[i].thread), _TOP + _ROW * i
        if lane is not None:
            parts.append(
                f'<rect class="runs" x="{lane.x:.1f}" y="{y}" width="{lane.width:.1f}" '
                f'height="{_ROW * (end - i)}"/>'
            )
        if i:
            parts.append(f'<line class="switch" x1="{_GUTTER}" x2="{width:.1f}" y1="{y}" y2="{y}"/>')
    return "".join(parts)


def _said(row: Row) -> str:
    if row.kind is Kind.SWITCH:
        return f"▸ holds {joined(row.held)}" if row.held else "▸ runs"
    return row.text + row.value


def _row(row: Row, y: float, lane: _Lane) -> str:
    indent = 0 if row.kind in (Kind.SWITCH, Kind.CALL, Kind.WANTS) else 2
    base = y + 13
    kind = row.kind.value
    if row.kind is Kind.STEP:
        kind = "take" if row.op in (*TAKES, *GIVES) else "write" if row.op == "write" else "step"
    number = f'<text class="number" x="{_GUTTER - 8}" y="{base}">{row.number}</text>' if row.number else ""
    return number + _text(lane.text_x + indent * _CHAR, base, kind, _said(row))


def _text(x: float, y: float, kind: str, text: str) -> str:
    """A line of text; what does not fit is in its tooltip."""
    shown = escape(clipped(text, _MOST_CHARS))
    title = f"<title>{escape(clipped(text, 1000))}</title>" if len(text) > _MOST_CHARS else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.0f}">{shown}{title}</text>'
