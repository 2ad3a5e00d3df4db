"""A picture of the first finding: its schedule as lanes, the locks held, who waits for whom."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files

from .. import tree
from ..lanes import lock_bars
from ..run import document
from ..stored_run import Stored
from ..text import clipped, counted
from ..tree import BREAK, Look, within

_CHAR, _ROW, _SIDE, _BAR, _NUMBER, _ARROW = 7.55, 18, 18, 8, 46, 26
_LEAST, _MOST_CHARS, _MOST_ROWS, _MOST_LANES, _COLOURS = 26, 64, 400, 12, 6


def render(stored: Stored) -> str:
    """The picture loads nothing; without a finding it shows the run's summary."""
    report = document(stored)
    panels = list(within(report.sections, tree.Panel))
    if not panels:
        return _Picture([("title", "RaceBench"), ("head", report.summary)], None, "").text()
    panel = panels[0]
    heads = [("title", f"{panel.title}: {panel.where}")]
    heads += [("head", _plain(one.text)) for one in within(panel.blocks[:1], tree.Paragraph)]
    heads += [("dim", f"and {counted(len(panels) - 1, 'more finding')}")] if len(panels) > 1 else []
    command = next((command.text for command in within(panel.blocks, tree.Command)), "")
    return _Picture(heads, next(within(panel.blocks, tree.Lanes), None), command).text()


def _plain(text: tree.Text) -> str:
    return "".join(" " if span is BREAK else span.text for span in text)


class _Picture:
    """``heads`` are lines above the lanes, with their classes."""

    def __init__(self, heads: Sequence[tuple[str, str]], shown: tree.Lanes | None, command: str) -> None:
        self._parts: list[str] = []
        self._y = 14
        threads = shown.threads[:_MOST_LANES] if shown else ()
        self._slots, self._colours = lock_bars(shown.moments if shown else (), len(threads))
        self._left = self._columns(shown, threads)
        foot = [("command", command)] if command else []
        self._wide = max(
            self._left[-1] + _SIDE, *(_SIDE * 2 + _CHAR * len(text) * 1.1 for _, text in (*heads, *foot))
        )
        for kind, text in heads:
            self._line(kind, text)
        if shown:
            self._draw(shown, threads)
        for kind, text in foot:
            self._y += 8
            self._line(kind, text)

    def text(self) -> str:
        style = files(__package__).joinpath("svg.css").read_text("utf-8")
        high = self._y + 14
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._wide:.0f} {high}" '
            f'width="{self._wide:.0f}" height="{high}">\n<style>\n{style}</style>\n'
            f'<rect class="page" width="100%" height="100%" rx="8"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )

    def _columns(self, shown: tree.Lanes | None, threads: Sequence[str]) -> list[float]:
        """The left edge of each lane, and the right edge of the last: as wide as the text in it."""
        left = [float(_SIDE + _NUMBER)]
        for thread, slots in zip(threads, self._slots, strict=True):
            mine = [moment for moment in shown.moments if moment.thread == thread] if shown else []
            said = [_plain(line) for moment in mine for line in tree.split(moment.text)]
            chars = max((len(text) for text in (*said, thread)), default=0)
            room = _BAR * len(slots) + 24
            left.append(left[-1] + room + _CHAR * max(_LEAST, min(chars, _MOST_CHARS)))
        return left

    def _line(self, kind: str, text: str) -> None:
        self._y += 20 if kind == "title" else _ROW
        self._parts.append(f'<text x="{_SIDE}" y="{self._y}" class="{kind}">{escape(text)}</text>')

    def _draw(self, shown: tree.Lanes, threads: Sequence[str]) -> None:
        self._y += _ROW + 10
        for left, name in zip(self._left, threads, strict=False):
            self._parts.append(
                f'<text x="{left + 10:.1f}" y="{self._y}" class="thread">{escape(name)}</text>'
            )
        self._y += 6
        top = self._y
        for moment in shown.moments[:_MOST_ROWS]:
            if moment.thread in threads:
                self._row(moment, threads.index(moment.thread), len(threads))
        if len(shown.moments) > _MOST_ROWS:
            self._line("dim", f"{len(shown.moments) - _MOST_ROWS:,} more rows: racebench explain --full")
        for left in self._left:
            self._parts.append(f'<path class="lane" d="M{left:.1f} {top}V{self._y}"/>')
        last = shown.walk.failing[-1] if shown.walk else None
        for at, wait in enumerate(last.waits if last else ()):
            self._wait(wait, threads, at)
        self._legend()

    def _row(self, moment: tree.Moment, mine: int, lanes: int) -> None:
        y, left, right = self._y, self._left[mine], self._left[mine + 1]
        said = tree.split(moment.text)
        high = _ROW * len(said)
        self._parts.append(
            f'<rect class="runs" x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{high}"/>'
        )
        if moment.switch:
            self._parts.append(f'<path class="switch" d="M{_SIDE} {y}H{self._left[lanes]:.1f}"/>')
        for i in range(lanes):
            for lock in moment.held[i]:
                x = self._left[i] + 5 + _BAR * self._slots[i][lock]
                kind = f"c{self._colours[lock] % _COLOURS}"
                self._parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="5" height="{high}"/>')
        if moment.number:
            end = _SIDE + _NUMBER - 8
            self._parts.append(f'<text class="number" x="{end}" y="{y + 13}">{moment.number}</text>')
        x = left + 12 + _BAR * len(self._slots[mine])
        for line in said:
            self._parts.append(
                f'<text x="{x:.1f}" y="{self._y + 13}" xml:space="preserve">{_spans(line)}</text>'
            )
            self._y += _ROW

    def _wait(self, wait: tree.Wait, threads: Sequence[str], at: int) -> None:
        """Draw an arrow below the lanes, from the waiting thread to the holder."""
        if wait.thread not in threads or wait.holder not in threads:
            return
        top, self._y = self._y if not at else self._floor, self._y + _ARROW
        self._floor = top
        shift = 14 * (at % 4)
        start, end = (self._left[threads.index(name)] for name in (wait.thread, wait.holder))
        start, end, y = start + 30 + shift, end + 130 + shift, self._y - 4
        self._parts.append(f'<path class="wait" d="M{start:.1f} {top}V{y}H{end:.1f}V{top + 8}"/>')
        self._parts.append(f'<path class="head" d="M{end:.1f} {top + 1}l-5 9h10z"/>')
        said = f"waits for {wait.lock}"
        x = (start + end - _CHAR * len(said)) / 2
        self._parts.append(f'<text class="why" x="{x:.1f}" y="{y - 4}">{escape(said)}</text>')

    _floor = 0

    def _legend(self) -> None:
        if not self._colours:
            return
        self._y += _ROW + 6
        x = float(_SIDE + _NUMBER)
        for lock, colour in self._colours.items():
            self._parts.append(
                f'<rect class="c{colour % _COLOURS}" x="{x:.1f}" y="{self._y - 11}" width="5" height="13"/>'
                f'<text class="dim" x="{x + 10:.1f}" y="{self._y}">{escape(lock)} held</text>'
            )
            x += _CHAR * (len(lock) + 8)


def _spans(text: tree.Text) -> str:
    """As much of ``text`` as fits, each piece in its colour."""
    room, parts = _MOST_CHARS, []
    for span in text:
        if room < 1:
            continue
        said = clipped(span.text, room)
        room -= len(said)
        look = f' class="{span.look.value}"' if span.look is not Look.PLAIN else ""
        parts.append(f"<tspan{look}>{escape(said)}</tspan>" if look else escape(said))
    return "".join(parts)
