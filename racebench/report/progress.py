"""The progress of a campaign as plain lines: in a pipe, or with --quiet nearly nothing.

A terminal gets ``live_screen``, which loads more of rich.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from ..records import Cell
from .facts import cell_name, done, vacuous, why
from .text import clean, count, counted, duration, joined

_LINE_S = 15.0

Clock = Callable[[], float]


class Quiet:
    """Prints only what the user has to know: a message is ignored if there is no method for its word."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, word: str, *what: Any) -> None:
        method = getattr(self, word, None)
        if method is not None:
            method(*what)

    def note(self, text: str) -> None:
        self._console.print(Text(clean(text)), soft_wrap=True)

    def close(self) -> None: ...


class PlainLines(Quiet):
    """One line for each cell, for pipes and CI logs; more of them while a long cell runs."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        super().__init__(console)
        self._clock, self._said_at = clock, clock()
        self._cells = self._done = 0

    def started(self, cells: int, seconds: float) -> None:
        self._cells = cells
        self.note(counted(cells, "cell") + (f", {duration(seconds)}" if seconds else ""))

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
        self.now_and_then(f"{scenario} x {protocol}: {mode}  {measured(mode, progress)}")

    def now_and_then(self, text: str) -> None:
        if self._clock() - self._said_at >= _LINE_S:
            self.note(text)

    def cell_done(self, cell: Cell) -> None:
        self._done += 1
        rules = joined(cell.found) or joined(["clean", *vacuous(cell)], "; ")
        did = why(cell) or done(cell) or "not run"
        self.note(f"[{self._done}/{self._cells}] {cell_name(cell)}: {cell.verdict}: {rules}; {did}")

    def note(self, text: str) -> None:
        self._said_at = self._clock()
        super().note(text)


def measured(mode: str, progress: Any) -> str:
    """``12,345 collisions  4,321/s  212 failed``."""
    rate = f"{progress.executions / progress.seconds:,.0f}/s" if progress.seconds else ""
    note = clean(progress.note) if mode == "verify" else ""
    did = counted(progress.executions, "collision" if mode == "stress" else "execution")
    parts = (did, rate, f"{count(progress.failures)} failed", note)
    return "  ".join(part for part in parts if part)
