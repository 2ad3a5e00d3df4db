"""The progress of a campaign, on a screen that changes.

The thread that runs the campaign draws it, from the campaign's events: a thread of
its own would disturb the threads under test.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..records import Cell, FindingRecord
from .facts import cell_name
from .progress import Clock, PlainLines, Quiet, measured
from .terminal import words
from .text import clean, clipped, count, counted, duration, joined, sparkline
from .tree import spoken

_DRAW_S = 0.1
_LOOKING = "running the bundled scenarios first ..."
_MODE, _BAR, _LEFT = 11, 10, 12
_SPARK, _SAMPLE_S = 16, 1.0


@dataclass
class _Slot:
    """The rows of one process: the cell that it runs, or has just finished."""

    key: tuple[str, str]
    mode: str = ""
    seconds: float = 0.0
    begun: float = 0.0
    progress: Any = None
    verdict: str = ""
    rules: list[str] = field(default_factory=list)
    rates: deque[float] = field(default_factory=lambda: deque(maxlen=_SPARK))
    failed: deque[int] = field(default_factory=lambda: deque(maxlen=_SPARK))
    sampled: Any = None

    def heard(self, progress: Any) -> None:
        """Keep the newest progress, and once a second the rate and the failures since the last sample."""
        self.progress, before = progress, self.sampled
        began = (0, 0, 0.0) if before is None else (before.executions, before.failures, before.seconds)
        past = progress.seconds - began[2]
        if past >= _SAMPLE_S:
            self.rates.append((progress.executions - began[0]) / past)
            self.failed.append(progress.failures - began[1])
            self.sampled = progress

    def drawn(self, width: int, now: float) -> Group:
        """Two rows: name and verdict, then the measured values."""
        outcome = Text("so far", style="yellow" if self.rules else "dim")
        outcome = (words(spoken(self.verdict)) if self.verdict else outcome) + Text(
            f": {joined(self.rules) or 'clean'}"
        )
        outcome.truncate(width // 2, overflow="ellipsis")
        left = duration(max(0.0, self.begun + self.seconds - now))
        mode, time_left = ("", "") if self.verdict else (self.mode, f"{left} left" if self.seconds else "")
        said = measured(self.mode, self.progress) if self.progress else ""
        said += f"  rate {sparkline(self.rates)}" if len(self.rates) > 1 else ""
        said += f"  failures {sparkline(self.failed)}" if any(self.failed) and len(self.failed) > 1 else ""
        total = max(self.seconds, 0.001)
        bar = _bar(total, total if self.verdict else now - self.begun)
        return Group(
            _row((Text(" x ".join(map(clean, self.key))), {"ratio": 1}), (outcome, {"justify": "right"})),
            _row(
                (Text(f"  {mode}"), {"width": _MODE}),
                (bar, {"width": max(_BAR, width // 4 - _BAR)}),
                (Text(said, style="cyan"), {"ratio": 1}),
                (Text(time_left, style="dim"), {"justify": "right", "width": _LEFT}),
            ),
        )


def _bar(total: float, completed: float) -> ProgressBar:
    return ProgressBar(total=total, completed=min(total, completed))


def _row(*cells: tuple[RenderableType, Any]) -> Table:
    """A line across the screen; each cell comes with the options of its column."""
    row = Table.grid(padding=(0, 2), expand=True)
    for _, how in cells:
        row.add_column(no_wrap=True, overflow="ellipsis", **how)
    row.add_row(*(cell for cell, _ in cells))
    return row


class _Display:
    """A live display that is drawn at most ten times a second."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._clock, self._drawn = clock, -math.inf
        self.live = Live(console=console, auto_refresh=False, transient=True)

    def draw(self, screen: Callable[[float], RenderableType]) -> None:
        now = self._clock()
        if now - self._drawn >= _DRAW_S:
            self._drawn = now
            self.live.update(screen(now), refresh=True)


class LiveScreen(Quiet):
    """A bar for the campaign and two rows for each cell that runs; needs a terminal.

    A process keeps its rows from cell to cell, so nothing moves up or down.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        super().__init__(console)
        self._clock, self._display = clock, _Display(console, clock)
        self._slots: list[_Slot] = []
        self._cells = 0
        self._verdicts = Counter[str](as_expected=0)
        self._distinct: set[str] = set()
        self._newest = ""
        self._ends = 0.0

    def started(self, cells: int, seconds: float) -> None:
        self._cells = cells
        self._ends = self._clock() + seconds if seconds else 0.0
        self._display.live.start()
        self._display.draw(self._screen)

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        slot = self._of((scenario, protocol))
        if slot is None:
            slot = _Slot((scenario, protocol))
            at = next((i for i, old in enumerate(self._slots) if old.verdict), len(self._slots))
            self._slots[at : at + 1] = [slot]
        slot.mode, slot.seconds, slot.begun, slot.progress = mode, seconds, self._clock(), None
        slot.rates.clear()
        slot.failed.clear()
        slot.sampled = None
        self._display.draw(self._screen)

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
        slot = self._of((scenario, protocol))
        if slot is not None:
            slot.heard(progress)
        self._display.draw(self._screen)

    def finding(self, path: str, record: FindingRecord) -> None:
        rule, signature = record.finding.rule, record.finding.signature
        slot = self._of(record.cell)
        if slot is not None and rule not in slot.rules:
            slot.rules.append(rule)
        if signature not in self._distinct:
            self._distinct.add(signature)
            self._newest = f"newest: {clean(rule)} in {cell_name(record)}"

    def cell_done(self, cell: Cell) -> None:
        slot = self._of(cell.name)
        if slot is not None:
            slot.verdict, slot.rules = cell.verdict, list(cell.found)
        self._verdicts[cell.verdict] += 1
        self._display.draw(self._screen)

    def close(self) -> None:
        self._display.live.stop()

    def _of(self, key: tuple[str, str]) -> _Slot | None:
        return next((slot for slot in self._slots if slot.key == key and not slot.verdict), None)

    def _screen(self, now: float) -> Group:
        done, width = self._verdicts.total(), self._console.width
        cells, left = f"{count(done)} of {counted(self._cells, 'cell')}", self._ends - now
        remaining = f"{duration(left)} left" if left > 0 else "past its time, going on with what was begun"
        bar = _bar(max(1, self._cells), done)
        parts = [Text(f"{count(n)} ") + words(spoken(verdict)) for verdict, n in self._verdicts.items()]
        parts.append(Text(counted(len(self._distinct), "distinct finding"), style="dim"))
        return Group(
            _row((Text(cells), {}), (bar, {"ratio": 1}), (Text(remaining if self._ends else ""), {})),
            Text("  ").join(parts),
            *(slot.drawn(width, now) for slot in self._slots),
            Text(clipped(self._newest, width), style="dim"),
        )


class FuzzScreen:
    """A bar and the newest signature; without ``live`` a line for each signature."""

    def __init__(self, console: Console, seconds: float, live: bool, clock: Clock = time.monotonic) -> None:
        self._console, self._seconds = console, seconds
        self._display = _Display(console, clock) if live else None
        self._lines = PlainLines(console, clock)
        self._met = self._new = 0
        self._newest = ""

    def __enter__(self) -> FuzzScreen:
        if self._display:
            self._display.live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._display:
            self._display.live.stop()

    def progress(self, drawn: int, seconds: float) -> None:
        rate = f", {drawn / seconds:,.0f}/s" if seconds else ""
        met = f"{counted(self._met, 'signature')}, {count(self._new)} new"
        said = f"{counted(drawn, 'scenario')}{rate}: {met}" if drawn else _LOOKING
        if self._display:
            self._display.draw(lambda _: self._screen(said, seconds))
        else:
            self._lines.now_and_then(said)

    def _screen(self, said: str, seconds: float) -> Group:
        width, left = self._console.width, f"{duration(max(0.0, self._seconds - seconds))} left"
        bar = _row((_bar(self._seconds, seconds), {"ratio": 1}), (Text(left), {}))
        return Group(bar, Text(clipped(said, width)), Text(clipped(self._newest, width), style="dim"))

    def met(self, met: Any) -> None:
        self._met += 1
        self._new += not met.covered
        line = f"{met.signature}{f' ({met.covered})' if met.covered else ' NEW'}"
        self._newest = clean(f"newest: {line}")
        if not self._display:
            self._lines.note(f"after {counted(met.after, 'scenario')}: {line}")
