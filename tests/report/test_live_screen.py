"""What is shown while a campaign runs."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from racebench.engine.progress import Progress
from racebench.report.live_screen import FuzzScreen, LiveScreen
from racebench.report.progress import PlainLines, Quiet

from .samples import ESC, EVIL, a_cell, console, finding, record


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def drawn(screen: LiveScreen, now: float, width: int) -> list[str]:
    out = console(width)
    out.print(screen._screen(now))
    return text(out).splitlines()


def text(screen: Any) -> str:
    return str(screen.file.getvalue())


def test_a_pipe_gets_one_line_a_cell() -> None:
    out = console(20)
    lines = PlainLines(out, Clock())
    lines.started(2, 30.0)
    lines("cell_started", "route", "baseline", "verify", 3.0)
    lines.cell_progress("route", "baseline", "verify", Progress(10, 0, 0.1))
    lines.cell_done(a_cell("route"))
    lines.cell_done(a_cell("route", EVIL, verdict="unexpected", found=["mapping.corrupted"]))
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
    assert "so far: clean" in said
    assert "12,345 collisions  4,115/s  212 failed" in said
    assert "6.0 s" in said
    assert "25.0 s left" in said
    clock.now = 7.0
    screen.finding("findings/0001.json", record(finding(scenario="route", protocol="baseline")))
    clock.now = 7.5
    screen.cell_progress("route", "baseline", "stress", Progress(12_345, 212, 3.0))
    assert "so far: deadlock.cycle" in text(out)
    clock.now = 8.0
    screen.cell_done(a_cell("route", verdict="unexpected", found=["deadlock.cycle"]))
    assert "1 of 117 cells" in text(out)
    assert "unexpected: deadlock.cycle" in text(out)
    assert "1 unexpected  1 distinct finding" in text(out)
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


def test_a_process_keeps_its_rows_from_cell_to_cell() -> None:
    clock, out = Clock(), console(terminal=True)
    screen = LiveScreen(out, clock)
    screen.started(4, 30.0)
    heights = []
    for protocol in ("a", "b", "c"):
        for scenario in ("one", "two"):
            clock.now += 1.0
            screen.cell_started(scenario, protocol, "verify", 3.0)
            heights.append(len(drawn(screen, clock.now, 80)))
        for scenario in ("two", "one"):
            clock.now += 1.0
            screen.cell_done(a_cell(scenario, protocol))
            heights.append(len(drawn(screen, clock.now, 80)))
    assert heights[1:] == [heights[1]] * 11
    screen.close()


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_row_is_wider_than_the_terminal(width: int) -> None:
    clock, out = Clock(), console(width, terminal=True)
    screen = LiveScreen(out, clock)
    screen.started(10**6, 1e6)
    screen.cell_started("s" * 300, "p" * 300, "reproduce", 1e6)
    screen.cell_progress("s" * 300, "p" * 300, "reproduce", Progress(10**12, 10**12, 1e-6, "n" * 300))
    for rule in ("a.rule", "b" * 300):
        screen.finding(
            "f", record(finding(rule=rule, signature=rule, scenario="s" * 300, protocol="p" * 300))
        )
    lines = drawn(screen, 1.0, width)
    assert all(len(line) <= width for line in lines)
    assert len(lines) == 5
    screen.close()


def test_quiet_says_only_what_the_user_has_to_know() -> None:
    out = console(80)
    quiet = Quiet(out)
    quiet("started", 2, 30.0)
    quiet("cell_started", "route", "baseline", "verify", 3.0)
    quiet("cell_progress", "route", "baseline", "verify", Progress(10, 0, 0.1))
    quiet("finding", "f", record(finding()))
    quiet("cell_done", a_cell("route"))
    assert text(out) == ""
    quiet("note", f"a torn line {ESC}")
    quiet("close")
    assert "a torn line" in text(out) and ESC not in text(out)


class Met:
    signature, after = f"lost {ESC}", 3

    def __init__(self, covered: str) -> None:
        self.covered = covered


def test_a_fuzz_run_in_a_pipe_says_each_signature_and_now_and_then_the_counts() -> None:
    clock, out = Clock(), console()
    with FuzzScreen(out, 60.0, live=False, clock=clock) as screen:
        screen.met(Met("route_vs_route"))
        screen.met(Met(""))
        clock.now = 14.0
        screen.progress(70, 14.0)
        clock.now = 20.0
        screen.progress(100, 20.0)
    assert [line.replace("\N{REPLACEMENT CHARACTER}", "?") for line in text(out).splitlines()] == [
        "after 3 scenarios: lost ? (route_vs_route)",
        "after 3 scenarios: lost ? NEW",
        "100 scenarios, 5/s: 2 signatures, 1 new",
    ]


def test_a_run_past_its_time_says_so_and_names_its_modes_whole() -> None:
    clock, out = Clock(), console(terminal=True)
    screen = LiveScreen(out, clock)
    clock.now = 1.0
    screen.started(117, 30.0)
    clock.now = 40.0
    screen.cell_started("route", "baseline", "reproduce", 10.0)
    said = text(out)
    screen.close()
    assert "past its time" in said
    assert "0 ms left" not in said
    assert "reproduce" in said


def test_a_fuzz_run_in_a_terminal_says_how_long_is_left() -> None:
    out = console(terminal=True)
    with FuzzScreen(out, 60.0, live=True, clock=Clock()) as screen:
        screen.met(Met(""))
        screen.progress(100, 20.0)
    assert "100 scenarios, 5/s: 1 signature, 1 new" in text(out) and "40.0 s left" in text(out)
    assert "newest: lost" in text(out)


def test_a_long_cell_draws_how_fast_it_went_and_what_failed_each_second() -> None:
    clock, out = Clock(), console(160)
    screen = LiveScreen(out, clock)
    screen.started(1, 60.0)
    screen.cell_started("route", "baseline", "stress", 60.0)
    done = 0
    for second, rate in enumerate((100, 400, 800, 0), 1):
        done += rate
        screen.cell_progress("route", "baseline", "stress", Progress(done, 5 * (second > 2), float(second)))
        # What comes within the second is no sample of its own.
        screen.cell_progress("route", "baseline", "stress", Progress(done, 5 * (second > 2), second + 0.1))
    shown = "\n".join(drawn(screen, 4.0, 160))
    screen.close()
    assert "rate ▁▄█ " in shown
    assert "failures   █" in shown
