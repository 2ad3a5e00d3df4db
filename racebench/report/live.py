"""What goes on while a campaign runs: a live screen, or plain lines in a pipe.

Both are drawn by the thread that runs the campaign, from its events: a thread
of their own would disturb the ones under test.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .matrix import evidence
from .text import clean, clipped, count, counted, duration, joined

_UNITS = {"stress": "collisions", "reproduce": ""}
_DRAW_S, _LINE_S = 0.1, 15.0
_WIDE = 120

Clock = Callable[[], float]
Key = tuple[str, str]


class _Running:
    """A cell while it runs."""

    def __init__(self, mode: str, seconds: float, begun: float) -> None:
        self.mode, self.seconds, self.begun = mode, seconds, begun
        self.progress: Any = None

    def left(self, now: float) -> float:
        return max(0.0, self.begun + self.seconds - now)

    def said(self) -> str:
        """``12,345 collisions  4,321/s  212 failed``."""
        p = self.progress
        if p is None:
            return ""
        rate = f"{p.executions / p.seconds:,.0f}/s" if p.seconds else ""
        unit = _UNITS.get(self.mode, "executions")
        note = clean(p.note) if self.mode == "verify" else ""
        parts = (f"{count(p.executions)} {unit}", rate, f"{count(p.failures)} failed", note)
        return "  ".join(part for part in parts if part)


class LiveScreen:
    """A bar for the campaign and a line for each cell that runs; needs a terminal."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._running: dict[Key, _Running] = {}
        self._cells = self._done = self._bad = 0
        self._distinct: set[str] = set()
        self._newest = ""
        self._ends = self._drawn = 0.0

    def started(self, cells: int, seconds: float) -> None:
        self._cells = cells
        self._ends = self._clock() + seconds if seconds else 0.0
        self._live.start()
        self._draw()

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        self._running[scenario, protocol] = _Running(mode, seconds, self._clock())
        self._draw()

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
        running = self._running.get((scenario, protocol))
        if running is not None:
            running.progress = progress
        self._draw()

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        if finding["signature"] not in self._distinct:
            self._distinct.add(finding["signature"])
            cell = f"{clean(finding['scenario'])} x {clean(finding['protocol'])}"
            self._newest = f"newest: {clean(finding['rule'])} in {cell}"

    def cell_done(self, cell: dict[str, Any]) -> None:
        self._running.pop((cell["scenario"], cell["protocol"]), None)
        self._done += 1
        self._bad += cell["verdict"] != "as_expected"
        self._draw()

    def note(self, text: str) -> None:
        self._console.print(Text(clean(text), style="yellow"))

    def close(self) -> None:
        self._live.stop()

    def _draw(self) -> None:
        now = self._clock()
        if now - self._drawn >= _DRAW_S:
            self._drawn = now
            self._live.update(self._screen(now), refresh=True)

    def _screen(self, now: float) -> Group:
        top = Table.grid(padding=(0, 2), expand=True)
        top.add_column(no_wrap=True)
        top.add_column(ratio=1)
        top.add_column(no_wrap=True)
        surprises = f", {count(self._bad)} not as expected" if self._bad else ""
        left = f", {duration(max(0.0, self._ends - now))} left" if self._ends else ""
        told = f"{counted(len(self._distinct), 'finding')}{surprises}{left}"
        cells = f"{count(self._done)} of {counted(self._cells, 'cell')}"
        top.add_row(Text(cells), ProgressBar(total=max(1, self._cells), completed=self._done), Text(told))
        rows = Table.grid(padding=(0, 2), expand=True)
        rows.add_column(no_wrap=True, ratio=1)
        rows.add_column(no_wrap=True, justify="right")
        for (scenario, protocol), running in self._running.items():
            name = Text(f"{clean(scenario)} x {clean(protocol)}")
            said = Text(f"{running.mode}  {running.said()}", style="cyan")
            time_left = Text(f"{duration(running.left(now))} left" if running.seconds else "", style="dim")
            if self._console.width >= _WIDE:
                rows.add_row(name.append("  ").append_text(said), time_left)
            else:
                rows.add_row(name.append("\n  ").append_text(said), time_left)
        newest = Text(clipped(self._newest, self._console.width), style="dim")
        return Group(top, rows, newest)


class PlainLines:
    """One line a cell, for pipes and CI logs; more of them while a long cell runs."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._cells = self._done = 0
        self._said_at = clock()

    def started(self, cells: int, seconds: float) -> None:
        self._cells = cells
        self._say(counted(cells, "cell") + (f", {duration(seconds)}" if seconds else ""))

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        """Said when the cell is done."""

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
        if self._clock() - self._said_at >= _LINE_S:
            running = _Running(mode, 0.0, 0.0)
            running.progress = progress
            self._say(f"{scenario} x {protocol}: {mode}  {running.said()}")

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        """Shown at the end."""

    def cell_done(self, cell: dict[str, Any]) -> None:
        self._done += 1
        rules = joined(cell["found"]) or "clean"
        self._say(
            f"[{self._done}/{self._cells}] {cell['scenario']} x {cell['protocol']}: "
            f"{cell['verdict']}: {rules}; {evidence(cell) or cell.get('error') or 'not run'}"
        )

    def note(self, text: str) -> None:
        self._say(text)

    def close(self) -> None:
        """Nothing to put back."""

    def _say(self, line: str) -> None:
        self._said_at = self._clock()
        self._console.print(Text(clean(line)), soft_wrap=True)
