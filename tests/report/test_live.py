"""What is shown while a campaign runs."""

from __future__ import annotations

import threading
from typing import Any

from racebench.engine import Progress
from racebench.report.live import LiveScreen, PlainLines

from .samples import ESC, EVIL, cell, console, finding


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def text(screen: Any) -> str:
    return str(screen.file.getvalue())


def test_a_pipe_gets_one_line_a_cell() -> None:
    out = console(20)
    lines = PlainLines(out, Clock())
    lines.started(2, 30.0)
    lines.cell_started("route", "baseline", "verify", 3.0)
    lines.cell_progress("route", "baseline", "verify", Progress(10, 0, 0.1))
    lines.cell_done(cell("route"))
    lines.cell_done(cell("route", EVIL, verdict="unexpected", found=["mapping.corrupted"]))
    lines.close()
    said = text(out).splitlines()
    assert said[0] == "2 cells, 30.0 s"
    assert said[1].startswith("[1/2] route x baseline: as_expected: clean; stress 412,000 collisions")
    assert "unexpected: mapping.corrupted" in said[2]
    assert len(said) == 3
    assert ESC not in text(out)


def test_a_long_cell_is_heard_of_in_a_pipe() -> None:
    clock, out = Clock(), console()
    lines = PlainLines(out, clock)
    for second in range(40):
        clock.now = float(second)
        lines.cell_progress("route", "baseline", "stress", Progress(1000 * second, 3, float(second)))
    said = text(out).splitlines()
    assert said == [
        "route x baseline: stress  15,000 collisions  1,000/s  3 failed",
        "route x baseline: stress  30,000 collisions  1,000/s  3 failed",
    ]


def test_a_terminal_gets_rate_failures_and_time_left() -> None:
    clock, out = Clock(), console(terminal=True)
    before = threading.active_count()
    screen = LiveScreen(out, clock)
    clock.now = 1.0
    screen.started(117, 30.0)
    clock.now = 2.0
    screen.cell_started("route", "baseline", "stress", 10.0)
    clock.now = 6.0
    screen.cell_progress("route", "baseline", "stress", Progress(12_345, 212, 3.0))
    assert threading.active_count() == before
    said = text(out)
    assert "0 of 117 cells" in said
    assert "12,345 collisions  4,115/s  212 failed" in said
    assert "6.0 s" in said
    assert "25.0 s left" in said
    clock.now = 7.0
    screen.finding("findings/0001.json", finding())
    screen.cell_done(cell("route", verdict="unexpected"))
    assert "1 of 117 cells" in text(out)
    assert "1 finding, 1 not as expected" in text(out)
    screen.note("a torn line")
    screen.close()
    assert "a torn line" in text(out)


def test_it_is_not_drawn_more_often_than_ten_times_a_second() -> None:
    clock, out = Clock(), console(terminal=True)
    screen = LiveScreen(out, clock)
    screen.started(1, 1.0)
    screen.cell_started("route", "baseline", "stress", 1.0)
    size = len(text(out))
    for _ in range(100):
        screen.cell_progress("route", "baseline", "stress", Progress(1, 0, 0.1))
    assert len(text(out)) == size
    screen.close()
