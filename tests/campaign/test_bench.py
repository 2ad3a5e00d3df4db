"""Rounds, medians and bars, over parts that measure nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from racebench.campaign import bench
from racebench.campaign.bench import BARS, Measured, Others, measure
from racebench.campaign.probes import PARTS, Round

Part = Callable[[Round], None]


def part(key: str, *values: float) -> Part:
    """Gives one value after another, and the last one again and again."""
    calls = count()

    def run(figures: Round) -> None:
        figures[key] = values[min(next(calls), len(values) - 1)]

    return run


def test_a_figure_is_the_median_of_its_rounds() -> None:
    ticks = count(step=10)
    measured = measure(
        parts={"floors": part("floor.lock_ns", 10, 30, 11, 11)}, clock=lambda: float(next(ticks))
    )
    assert measured.figures()["floor.lock_ns"] == 11


def test_what_varied_is_measured_again_and_the_floors_with_it() -> None:
    said: list[str] = []
    parts = {"floors": part("f", 5), "steady": part("s", 100, 101, 102), "other": part("o", 1, 2, 1)}
    ticks = count(step=10)
    measured = measure(said.append, parts, lambda: float(next(ticks)))
    assert said == ["round 1 of 3", "round 2 of 3", "round 3 of 3", *["again, since it varied: other"] * 2]
    assert [sorted(figures) for figures in measured.rounds] == [*[["f", "o", "s"]] * 3, *[["f", "o"]] * 2]


def test_what_did_not_vary_is_measured_in_its_rounds_alone() -> None:
    said: list[str] = []
    measure(said.append, {"floors": part("f", 100, 110, 105)})
    assert said == ["round 1 of 3", "round 2 of 3", "round 3 of 3"]


def test_a_bar_is_a_ratio_within_a_round_and_is_met_by_the_median() -> None:
    """While the machine is busy a hand-over takes long, and all else as well."""
    quiet = {"floor.handover_us": 5.0, "explore.pct.per_s": 9_200.0}
    busy = {"floor.handover_us": 50.0, "explore.pct.per_s": 920.0}
    bars = Measured((quiet, busy, {**quiet, "explore.pct.per_s": 1_000.0}), None).bars()
    assert bars["explore.pct.per_s"] == ("46,000 x handover, >= 45,000", True)
    bars = Measured((quiet, *[{**quiet, "explore.pct.per_s": 1_000.0}] * 2), None).bars()
    assert bars["explore.pct.per_s"] == ("5,000 x handover, >= 45,000", False)


def test_what_must_not_be_more_is_met_from_below() -> None:
    for value, met in ((19.0, True), (21.0, False)):
        assert Measured(({"stress.first_failure_ms": value},), None).bars()["stress.first_failure_ms"] == (
            "<= 20",
            met,
        )


def test_a_bar_without_its_figure_is_missed() -> None:
    assert Measured(({},), None).bars()["deadlock.detect_us"][1] is False


def test_each_part_gives_what_the_bars_ask_for() -> None:
    """The cheap ones, and that the bars name nothing else than figures."""
    figures: Round = {}
    PARTS["floors"](figures)
    PARTS["a small model"](figures)
    assert {"floor.handover_us", "floor.lock_ns", "small.random.per_s", "small.pct.per_s"} == set(figures)
    assert {bar.key.partition(".")[0] for bar in BARS} <= {"explore", "verify", "stress", "deadlock", "jobs"}


def test_others_have_what_this_process_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([(100.0, 10.0), (108.0, 13.0)])
    monkeypatch.setattr(bench, "_all_and_own", lambda: next(times))
    ticks = iter([0.0, 5.0])
    cores = bench.os.cpu_count() or 1
    assert Others(lambda: next(ticks)).share() == (8 - 3) / (5 * cores)


def test_a_system_that_tells_nothing_is_not_said_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert Others().share() is None
