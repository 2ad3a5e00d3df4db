"""A fuzz run: the screen while it goes on, and what it met."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .text import clean, clipped, count, counted, duration

_DRAW_S, _LINE_S = 0.1, 15.0


class FuzzScreen:
    """A bar and the newest signature; with ``live`` off a line for each new one."""

    def __init__(
        self, console: Console, seconds: float, live: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console, self._seconds, self._clock = console, seconds, clock
        self._live = Live(console=console, auto_refresh=False, transient=True) if live else None
        self._met = self._new = self._drawn = 0
        self._newest = ""
        self._said = 0.0

    def __enter__(self) -> FuzzScreen:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def progress(self, drawn: int, seconds: float) -> None:
        self._drawn = drawn
        now = self._clock()
        if now - self._said < (_LINE_S if self._live is None else _DRAW_S):
            return
        self._said = now
        if self._live is None:
            self._line(self._counts(seconds))
            return
        top = Table.grid(padding=(0, 2), expand=True)
        top.add_column(ratio=1)
        top.add_column(no_wrap=True)
        done = min(seconds, self._seconds)
        bar = ProgressBar(total=self._seconds, completed=done)
        top.add_row(bar, Text(f"{duration(max(0.0, self._seconds - seconds))} left"))
        said = clipped(self._counts(seconds), self._console.width)
        newest = Text(clipped(self._newest, self._console.width), style="dim")
        self._live.update(Group(top, Text(said), newest), refresh=True)

    def _counts(self, seconds: float) -> str:
        rate = f", {self._drawn / seconds:,.0f}/s" if seconds else ""
        if not self._drawn:
            return "looking at what the bundled scenarios show ..."
        signatures = counted(self._met, "signature")
        return f"{counted(self._drawn, 'scenario')}{rate}: {signatures}, {count(self._new)} new"

    def met(self, met: Any) -> None:
        self._met += 1
        self._new += not met.covered
        known = f" ({met.covered})" if met.covered else " NEW"
        self._newest = clean(f"newest: {met.signature}{known}")
        if self._live is None:
            self._line(f"after {counted(met.after, 'scenario')}: {met.signature}{known}")

    def _line(self, text: str) -> None:
        self._console.print(Text(clean(text)), soft_wrap=True)


def fuzz_report(run: Mapping[str, Any]) -> Group:
    """What a fuzz run met, new things last."""
    told = run["fuzz"]
    met = sorted(told["met"], key=lambda m: (m["covered"] is None, m["after"]))
    known, new = [m for m in met if m["covered"]], [m for m in met if not m["covered"]]
    protocol = clean(told["protocol"])
    parts: list[RenderableType] = []
    if known:
        parts += [Text(f"{protocol}: shown by bundled scenarios too", style="bold"), _known(known), Text()]
    if new:
        parts += [Text(f"{protocol}: new", style="bold"), _new(new), Text()]
    drawn, seconds = counted(told["drawn"], "scenario"), duration(run["wall_s"])
    total = f"{drawn} drawn in {seconds}: {counted(len(met), 'signature')}, {count(len(new))} new"
    if run["interrupted"]:
        total += " (interrupted)"
    parts.append(Text(total, style="bold red" if new else "bold green"))
    return Group(*parts)


def fuzz_commands(run: Mapping[str, Any], folder: str, protocol: str) -> list[str]:
    """How to see what is new again, a line each; ``protocol`` as it was asked for."""
    kept = [m["scenario"] for m in run["fuzz"]["met"] if not m["covered"] and m["scenario"]]
    if not kept:
        return []
    again = [shlex.join(["racebench", "run", file, "--protocol", protocol]) for file in dict.fromkeys(kept)]
    return [clean(command) for command in (f"racebench explain {folder}", *again)]


def _known(met: list[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    for m in met:
        after = Text(f"{m['seconds']:.1f} s", style="dim")
        table.add_row(after, Text(clean(m["signature"])).append(f"  {clean(m['covered'])}", style="dim"))
    return table


def _new(met: list[Mapping[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    for m in met:
        text = Text(clean(m["signature"]), style="bold")
        if not m["scenario"]:
            text.append("\ndid not come again, or comes with one that is stored", style="dim")
        table.add_row(Text(f"{m['seconds']:.1f} s", style="dim"), text)
    return table
