"""What differs between two stored runs."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.findings import interval
from racebench.report.comparison import comparison
from racebench.report.differences import compare
from racebench.report.terminal import show

from .samples import ESC, EVIL, cell, console, finding, stored


def stress(failures: int, collisions: int = 10_000, seconds: float = 1.0) -> dict[str, Any]:
    return {"collisions": collisions, "failures": failures, "seconds": seconds}


def differ(base: list[dict[str, Any]], new: list[dict[str, Any]], **how: Any) -> dict[str, Any]:
    none: list[Any] = []
    return compare(stored(*base, findings=how.get("was", none)), stored(*new, findings=how.get("now", none)))


def shown(compared: dict[str, Any]) -> str:
    screen = console(80)
    show(screen, list(comparison(compared, "runs/a", "runs/b")))
    text = str(screen.file.getvalue())  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_the_same_run_twice_is_no_change() -> None:
    same = differ([cell()], [cell()], was=[finding()], now=[finding()])
    assert not same["regression"]
    assert same["cells"] == {"both": 1, "changed": [], "added": [], "removed": []}
    assert same["signatures"] == {"new": [], "vanished": []}
    assert "no regression: 1 of 1 cell with the same verdict" in shown(same)


@pytest.mark.parametrize(
    ("was", "is_", "regression"),
    [
        ("as_expected", "unexpected", True),
        ("as_expected", "missed", True),
        ("as_expected", "unknown", True),
        ("unexpected", "as_expected", False),
        ("missed", "unexpected", False),
        ("unknown", "unexpected", False),
    ],
)
def test_a_cell_that_is_no_longer_as_expected_is_a_regression(was: str, is_: str, regression: bool) -> None:
    compared = differ([cell(verdict=was)], [cell(verdict=is_, found=["data_race"])])
    assert compared["regression"] is regression
    [changed] = compared["cells"]["changed"]
    assert (changed["base"], changed["new"], changed["worse"]) == (was, is_, regression)
    assert changed["appeared"] == ["data_race"]
    assert "+ data_race" in shown(compared)


def test_a_new_signature_is_a_regression_where_both_looked() -> None:
    there = cell("release_vs_isenabler")
    compared = differ([there], [there], now=[finding(), finding(protocol="other")])
    assert compared["regression"]
    [one] = compared["signatures"]["new"]
    assert (one["signature"], one["count"], len(one["cells"])) == ("deadlock.cycle: desc, rank", 2620, 2)
    assert "regression: 1 new signature" in shown(compared)
    elsewhere = differ([cell()], [cell(), there], now=[finding()])
    assert not elsewhere["regression"]
    assert elsewhere["cells"]["added"] == [{"scenario": "release_vs_isenabler", "protocol": "baseline"}]


def test_a_signature_vanishes_only_where_one_looked_again() -> None:
    there = cell("release_vs_isenabler")
    assert [s["rule"] for s in differ([there], [there], was=[finding()])["signatures"]["vanished"]] == [
        "deadlock.cycle"
    ]
    assert differ([there], [cell()], was=[finding()])["signatures"]["vanished"] == []


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [(100, 110, "none"), (100, 180, "higher"), (180, 100, "lower"), (0, 3, "none"), (0, 30, "higher")],
)
def test_rates_move_when_their_intervals_are_apart(old: int, new: int, change: str) -> None:
    compared = differ([cell(stress=stress(old))], [cell(stress=stress(new))])
    [rate] = compared["rates"]
    assert rate["change"] == change
    assert not compared["regression"]
    assert ("failure rates: 1 of 1 moved" in shown(compared)) is (change != "none")


def test_intervals() -> None:
    low, high = interval(10, 100)
    assert (round(low, 3), round(high, 3)) == (0.055, 0.174)
    assert interval(0, 100)[0] == 0.0 and round(interval(0, 100)[1], 3) == 0.037
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(5, 3)[1] == 1.0 and interval(-5, 3)[0] == 0.0


@pytest.mark.parametrize(
    ("factor", "cells", "change"),
    [(1.0, 9, "none"), (1.2, 9, "none"), (3.0, 9, "higher"), (0.3, 9, "lower"), (3.0, 3, "unknown")],
)
def test_speed_moves_only_beyond_what_machines_do(factor: float, cells: int, change: str) -> None:
    base = [cell(protocol=f"p{i}", stress=stress(0, 1000 + i)) for i in range(cells)]
    new = [cell(protocol=f"p{i}", stress=stress(0, int(factor * (1000 + i)))) for i in range(cells)]
    compared = differ(base, new)
    assert compared["speed"]["stress"]["change"] == change
    assert "stress: 1,00" in shown(compared)
    assert compared["speed"]["explore"] is None


def test_the_number_of_schedules_is_no_matter_of_chance() -> None:
    def proved(n: int) -> dict[str, Any]:
        return cell(stress=None, verify={"complete": True, "executions": n})

    compared = differ([proved(4)], [proved(6)])
    assert [(s["base"], s["new"]) for s in compared["schedules"]] == [(4, 6)]
    assert "number of schedules" in shown(compared)


def test_nothing_in_a_file_is_obeyed() -> None:
    evil = cell(EVIL, EVIL, verdict=EVIL, found=[EVIL])
    found = [finding(rule=EVIL, signature=EVIL, scenario=EVIL, protocol=EVIL)]
    text = shown(differ([cell(EVIL, EVIL)], [evil, cell(EVIL, "x")], now=found))
    assert ESC not in text
    assert "[bold]x[/bold]" in text
