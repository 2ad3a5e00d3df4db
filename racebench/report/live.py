"""What goes on while a campaign runs: a live screen, or plain lines in a pipe."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from .matrix import evidence
from .text import clean, count


class LiveScreen:
    """A bar for the campaign and one for the running cell; needs a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[said]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            expand=True,
        )
        self._all = self._progress.add_task("starting", total=1.0, said="")
        self._one = self._progress.add_task("", total=1.0, said="")
        self._failures = 0
        self._newest = ""
        self._begun = 0.0

    def started(self, cells: list[tuple[str, str]], seconds: float) -> None:
        self._progress.update(self._all, total=len(cells), description="cells")
        self._progress.start()

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        self._begun = time.monotonic()
        name = f"{clean(scenario)} x {clean(protocol)}"
        if len(name) > 44:
            name = name[:43] + "…"
        self._progress.reset(self._one, total=max(seconds, 0.01), description=name, said=mode)

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
        rate = progress.executions / progress.seconds if progress.seconds else 0
        said = f"{mode} {count(progress.executions)} {rate:,.0f}/s {count(progress.failures)} failed"
        self._progress.update(self._one, completed=progress.seconds, said=said)

    def cell_done(self, cell: dict[str, Any]) -> None:
        self._progress.advance(self._all)
        bad = cell["verdict"] != "as_expected"
        self._failures += bad
        said = f"{self._failures} not as expected" if self._failures else "all as expected"
        self._progress.update(self._all, said=f"{said} {self._newest}".rstrip())

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        self._newest = f"newest: {clean(finding['rule'])}"

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
