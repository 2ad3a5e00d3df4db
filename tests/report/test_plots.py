"""Plots, as values; and drawn in a page and in a terminal."""

from __future__ import annotations

import re

import pytest

from racebench.records import Progress
from racebench.report import plots
from racebench.report.formats.html import render
from racebench.report.tree import Bars

from .samples import a_cell, cell, printed, stored


def test_a_soak_has_rates_over_time() -> None:
    # Two cells: one told of itself each second, the other at the end, of what it did all the time.
    went = [Progress(10.0 + t, 11.0 + t, 100, 2 if t > 3 else 0) for t in range(8)]
    rate, failed = plots.soak([*went, Progress(10.0, 18.0, 80, 0)])
    assert [value for _, value in rate.bars] == pytest.approx([110.0] * 4)
    assert [value for _, value in failed.bars] == pytest.approx([0.0, 0.0, 2.0, 2.0])
    assert [label for label, _ in rate.bars] == ["2.0 s", "4.0 s", "6.0 s", "8.0 s"]


def test_what_told_too_little_has_none() -> None:
    assert not list(plots.soak([Progress(1.0, 2.0, 5, 0)]))
    assert not list(plots.soak([Progress(1.0, 1.0, 5, 0)] * 20)), "its clock stood still"
    [only] = plots.soak([Progress(float(t), t + 1.0, 1, 0) for t in range(9)])
    assert only.title == "collisions a second, over time"


def test_how_soon_it_failed_is_counted_by_powers_of_ten() -> None:
    cells = [
        a_cell(f"s{i}", stress={"collisions": 9, "failures": 1, "first_failure_s": first})
        for i, first in enumerate([0.002, 0.004, 0.03, 2.0])
    ]
    [bars] = plots.first_failures(cells)
    assert bars.bars == [
        ("up to 10 ms", 2.0),
        ("up to 100 ms", 1.0),
        ("up to 1.0 s", 0.0),
        ("up to 10.0 s", 1.0),
    ]
    assert not list(plots.first_failures(cells[:2]))


def test_strategies_are_compared_by_the_classes_that_they_found_first() -> None:
    [bars] = plots.coverage({"pct": 3, "random": 0})
    assert bars.bars == [("pct", 3.0), ("random", 0.0)]
    assert not list(plots.coverage({"pct": 3})) and not list(plots.coverage({"pct": 0, "random": 0}))


def test_a_page_draws_them_and_a_terminal_in_a_line() -> None:
    strategies = {name: {"executions": 10, "classes": n, "hits": 1} for name, n in (("pct", 4), ("walk", 8))}
    explore = {"strategy": "portfolio", "executions": 20, "failures": 2, "strategies": strategies}
    page = render(stored(cell(explore=explore)))
    [picture] = re.findall(r'<svg viewBox="0 0 720 110".*?</svg>', page)
    assert re.findall(r'height="([\d.]+)"><title>(.*?)<', picture) == [
        ("37.0", "pct: 4"),
        ("74.0", "walk: 8"),
    ]
    text = printed(Bars("classes", [("pct", 4.0), ("walk", 8.0), ("none", 0.0)]))
    assert text == "classes: ▄█   pct … none, at most 8\n"


def test_nothing_at_all_is_a_flat_line() -> None:
    assert printed(Bars("none", [("a", 0.0)])).startswith("none: ")
