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
from .text import VERDICT_STYLES, clean, clipped, count, counted, duration, joined, why

_UNITS = {"stress": "collisions", "reproduce": ""}
_DRAW_S, _LINE_S = 0.1, 15.0
_MODE, _BAR, _LEFT = 9, 10, 12

Clock = Callable[[], float]
Key = tuple[str, str]


class _Slot:
    """The rows of one process: the cell that it runs, or has just finished."""

    def __init__(self, key: Key, mode: str, seconds: float, begun: float) -> None:
        self.key, self.mode, self.seconds, self.begun = key, mode, seconds, begun
        self.progress: Any = None
        self.rules: list[str] = []
        self.verdict = ""

    def next_mode(self, mode: str, seconds: float, begun: float) -> None:
        self.mode, self.seconds, self.begun, self.progress = mode, seconds, begun, None

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

    def told(self) -> Text:
        """The verdict, or what is known before there is one."""
        rules = joined(self.rules) or "clean"
        if not self.verdict:
            return Text(f"so far: {rules}", style="yellow" if self.rules else "dim")
        return Text(f"{self.verdict.replace('_', ' ')}: {rules}", style=VERDICT_STYLES.get(self.verdict, ""))


class LiveScreen:
    """A bar for the campaign and two rows for each cell that runs; needs a terminal.

    A process keeps its rows from cell to cell, so nothing moves up or down.
    """

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._slots: list[_Slot] = []
        self._cells = self._done = 0
        self._verdicts = dict.fromkeys(VERDICT_STYLES, 0)
        self._distinct: set[str] = set()
        self._newest = ""
        self._ends = self._drawn = 0.0

    def started(self, cells: int, seconds: float) -> None:
        self._cells = cells
        self._ends = self._clock() + seconds if seconds else 0.0
        self._live.start()
        self._draw()

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        key, now = (scenario, protocol), self._clock()
        slot = self._of(key)
        if slot is not None:
            slot.next_mode(mode, seconds, now)
        else:
            at = next((i for i, slot in enumerate(self._slots) if slot.verdict), len(self._slots))
            self._slots[at : at + 1] = [_Slot(key, mode, seconds, now)]
        self._draw()

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
        slot = self._of((scenario, protocol))
        if slot is not None:
            slot.progress = progress
        self._draw()

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        rule = clean(finding["rule"])
        slot = self._of((finding["scenario"], finding["protocol"]))
        if slot is not None and rule not in slot.rules:
            slot.rules.append(rule)
        if finding["signature"] not in self._distinct:
            self._distinct.add(finding["signature"])
            cell = f"{clean(finding['scenario'])} x {clean(finding['protocol'])}"
            self._newest = f"newest: {rule} in {cell}"

    def cell_done(self, cell: dict[str, Any]) -> None:
        slot = self._of((cell["scenario"], cell["protocol"]))
        if slot is not None:
            slot.verdict, slot.rules = cell["verdict"], list(cell["found"])
        self._done += 1
        self._verdicts[cell["verdict"]] = self._verdicts.get(cell["verdict"], 0) + 1
        self._draw()

    def note(self, text: str) -> None:
        self._console.print(Text(clean(text), style="yellow"))

    def close(self) -> None:
        self._live.stop()

    def _of(self, key: Key) -> _Slot | None:
        return next((slot for slot in self._slots if slot.key == key and not slot.verdict), None)

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
        left = f"{duration(max(0.0, self._ends - now))} left" if self._ends else ""
        cells = f"{count(self._done)} of {counted(self._cells, 'cell')}"
        top.add_row(Text(cells), ProgressBar(total=max(1, self._cells), completed=self._done), Text(left))
        parts = [
            Text(f"{count(n)} {verdict.replace('_', ' ')}", style=VERDICT_STYLES.get(verdict, ""))
            for verdict, n in self._verdicts.items()
            if n or verdict == "as_expected"
        ]
        tally = Text("  ").join([*parts, Text(counted(len(self._distinct), "distinct finding"), style="dim")])
        rows = Table.grid(padding=(0, 2), expand=True)
        rows.add_column(no_wrap=True, ratio=1)
        for slot in self._slots:
            rows.add_row(self._named(slot))
            rows.add_row(self._measured(slot, now))
        newest = Text(clipped(self._newest, self._console.width), style="dim")
        return Group(top, tally, rows, newest)

    def _named(self, slot: _Slot) -> Table:
        row = Table.grid(padding=(0, 2), expand=True)
        row.add_column(no_wrap=True, ratio=1)
        row.add_column(no_wrap=True, justify="right", overflow="ellipsis")
        told = slot.told()
        told.truncate(self._console.width // 2, overflow="ellipsis")
        row.add_row(Text(f"{clean(slot.key[0])} x {clean(slot.key[1])}", overflow="ellipsis"), told)
        return row

    def _measured(self, slot: _Slot, now: float) -> Table:
        row = Table.grid(padding=(0, 2), expand=True)
        row.add_column(width=_MODE)
        row.add_column(width=max(_BAR, self._console.width // 4 - _BAR))
        row.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        row.add_column(no_wrap=True, justify="right", width=_LEFT)
        total = max(slot.seconds, 0.001)
        done = total if slot.verdict else min(total, now - slot.begun)
        time_left = f"{duration(slot.left(now))} left" if slot.seconds and not slot.verdict else ""
        mode = "" if slot.verdict else slot.mode
        bar = ProgressBar(total=total, completed=done, pulse=False)
        row.add_row(Text(f"  {mode}"), bar, Text(slot.said(), style="cyan"), Text(time_left, style="dim"))
        return row


class Quiet:
    """Says nothing while it runs but what the user has to know."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def started(self, cells: int, seconds: float) -> None: ...

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None: ...

    def finding(self, path: str, finding: dict[str, Any]) -> None: ...

    def cell_done(self, cell: dict[str, Any]) -> None: ...

    def note(self, text: str) -> None:
        self._console.print(Text(clean(text)), soft_wrap=True)

    def close(self) -> None: ...


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
            slot = _Slot((scenario, protocol), mode, 0.0, 0.0)
            slot.progress = progress
            self._say(f"{scenario} x {protocol}: {mode}  {slot.said()}")

    def finding(self, path: str, finding: dict[str, Any]) -> None:
        """Shown at the end."""

    def cell_done(self, cell: dict[str, Any]) -> None:
        self._done += 1
        rules = joined(cell["found"]) or "clean"
        self._say(
            f"[{self._done}/{self._cells}] {cell['scenario']} x {cell['protocol']}: "
            f"{cell['verdict']}: {rules}; {why(cell) or evidence(cell) or 'not run'}"
        )

    def note(self, text: str) -> None:
        self._say(text)

    def close(self) -> None:
        """Nothing to put back."""

    def _say(self, line: str) -> None:
        self._said_at = self._clock()
        self._console.print(Text(clean(line)), soft_wrap=True)
