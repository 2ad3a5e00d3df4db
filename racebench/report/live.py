"""What goes on while a campaign runs: a live screen, or plain lines in a pipe."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column
from rich.text import Text

from .matrix import evidence
from .text import clean, count, duration


class LiveScreen:
    """A bar for the campaign and one for the running cell; needs a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._room = max(16, min(40, console.width // 3))
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=max(8, console.width // 8)),
            TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
            console=console,
            transient=True,
            expand=True,
        )
        self._all = self._progress.add_task("starting", total=1.0, said="")
        self._one = self._progress.add_task("", total=1.0, said="")
        self._new = self._progress.add_task("", total=1.0, said="", visible=False)
        self._started, self._seconds = time.monotonic(), 0.0
        self._surprises = 0

    def started(self, cells: list[tuple[str, str]], seconds: float) -> None:
        self._started, self._seconds = time.monotonic(), seconds
        self._progress.update(self._all, total=len(cells), description=self._fit("all cells"))
        self._progress.start()

    def _fit(self, text: str) -> str:
        text = clean(text)
        return (text if len(text) <= self._room else text[: self._room - 1] + "…").ljust(self._room)

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        name = self._fit(f"{scenario} x {protocol}")
        self._progress.reset(self._one, total=max(seconds, 0.01), description=name, said=mode)

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
        rate = progress.executions / progress.seconds if progress.seconds else 0
        said = f"{mode} {count(progress.executions)} {rate:,.0f}/s {count(progress.failures)} failed"
        self._progress.update(self._one, completed=progress.seconds, said=said)

    def cell_done(self, cell: dict[str, Any]) -> None:
        self._progress.advance(self._all)
        self._surprises += cell["verdict"] != "as_expected"
        left = max(0.0, self._seconds - (time.monotonic() - self._started))
        said = f"{self._surprises} not as expected" if self._surprises else "as expected"
        self._progress.update(self._all, said=f"{said}, {duration(left)} left")

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        where = self._fit(f"newest: {finding['rule']}")
        said = f"{clean(finding['scenario'])} x {clean(finding['protocol'])}"
        self._progress.update(self._new, description=where, said=said, visible=True, completed=1.0)

    def note(self, text: str) -> None:
        self._console.print(Text(clean(text)))

    def close(self) -> None:
        self._progress.stop()


class PlainLines:
    """One line a cell, for pipes and CI logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._total = self._done = 0

    def started(self, cells: list[tuple[str, str]], seconds: float) -> None:
        self._total = len(cells)

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        """Lines are written when a cell is done."""

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
        """Lines are written when a cell is done."""

    def cell_done(self, cell: dict[str, Any]) -> None:
        self._done += 1
        rules = ", ".join(cell["found"]) or "clean"
        line = (
            f"[{self._done}/{self._total}] {cell['scenario']} x {cell['protocol']}: "
            f"{cell['verdict']} ({rules}); {evidence(cell)}"
        )
        self._console.print(Text(clean(line)), soft_wrap=True)

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        """Findings are shown at the end."""

    def note(self, text: str) -> None:
        self._console.print(Text(clean(text)), soft_wrap=True)

    def close(self) -> None:
        """Nothing to put back."""
