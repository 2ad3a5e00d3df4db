"""Bar charts, as small pictures in the page."""

from __future__ import annotations

from ... import tree
from ...text import clipped
from .words import escaped

_WIDE, _HIGH, _TOP, _FOOT, _EDGE, _LABELLED, _LONGEST = 720, 110, 16, 20, 24, 12, 16


def bars(shown: tree.Bars) -> str:
    """A bar for each value; with few bars each has a label, with many only the first and the last."""
    most = max(value for _, value in shown.bars) or 1.0
    room = _WIDE / len(shown.bars)
    highest = [value for _, value in shown.bars].index(most) if any(value for _, value in shown.bars) else -1
    few = len(shown.bars) <= _LABELLED
    parts = []
    for i, (label, value) in enumerate(shown.bars):
        high = (_HIGH - _TOP - _FOOT) * value / most
        # A value above 0 stays visible, however small it is.
        high = max(high, 1.0) if value else 0.0
        x, y, said = i * room, _HIGH - _FOOT - high, escaped(f"{label}: {_number(value)}")
        wide = max(1.0, min(room - 2, 90))
        left, middle = x + (room - wide) / 2, x + room / 2
        parts.append(
            f'<rect class="bar" x="{left:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}">'
            f"<title>{said}</title></rect>"
        )
        if few:
            name = escaped(clipped(label, _LONGEST))
            parts.append(f'<text class="label" x="{middle:.1f}" y="{_HIGH - 5}">{name}</text>')
        if value and (few or i == highest):
            # Keep the text inside the picture at its edges.
            place = min(_WIDE - _EDGE, max(_EDGE, middle))
            parts.append(f'<text class="value" x="{place:.1f}" y="{y - 4:.1f}">{_number(value)}</text>')
    if not few:
        first, last = escaped(shown.bars[0][0]), escaped(shown.bars[-1][0])
        parts.append(f'<text class="first" x="0" y="{_HIGH - 5}">{first}</text>')
        parts.append(f'<text class="last" x="{_WIDE}" y="{_HIGH - 5}">{last}</text>')
    floor = f'<path class="floor" d="M0 {_HIGH - _FOOT}H{_WIDE}"/>'
    values = "; ".join(f"{label}: {_number(value)}" for label, value in shown.bars)
    return (
        f'<figure class="plot"><figcaption>{escaped(shown.title)}</figcaption>\n'
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="{escaped(f"{shown.title}: {values}")}">'
        f"{floor}{''.join(parts)}</svg></figure>"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
