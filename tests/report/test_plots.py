"""Plots, as values; and drawn in a page and in a terminal."""

from __future__ import annotations

import re

import pytest

from racebench.report import plots
from racebench.report.formats.html import render
from racebench.report.stored import Progress
from racebench.report.tree import Bars

from .samples import cell, finding, printed, record, stored


def test_a_soak_has_a_rate_and_failures_over_time() -> None:
    went = [Progress(10.0 + t, 100 * t, 0 if t < 5 else t - 4) for t in range(9)]
    rate, failed = plots.soak(went)
    assert [value for _, value in rate.bars] == pytest.approx([100.0, 100.0, 100.0, 100.0])
    assert [value for _, value in failed.bars] == [0.0, 0.0, 2.0, 2.0]
    assert [label for label, _ in rate.bars] == ["2.0 s", "4.0 s", "6.0 s", "8.0 s"]


def test_what_told_too_little_has_none() -> None:
    assert not list(plots.soak([Progress(1.0, 5, 0), Progress(2.0, 9, 0)]))
    assert not list(plots.soak([Progress(1.0, 5, 0)] * 20)), "its clock stood still"
    assert [bars.title for bars in plots.soak([Progress(float(t), t, 0) for t in range(9)])] == [
        "collisions a second, over time"
    ]


def test_findings_are_counted_by_the_executions_that_they_took() -> None:
    by = [("verify", 1), ("explore", 2), ("explore", 3), ("stress", 5), ("verify", 9)]
    found = [("", record(finding(found_by={"mode": m, "strategy": "", "after": n}))) for m, n in by]
    [bars] = plots.first_failures(found)
    assert bars.bars == [("1", 1.0), ("2-3", 2.0), ("4-7", 0.0), ("8-15", 1.0)]
    assert not list(plots.first_failures(found[:2]))


def test_strategies_are_compared_by_the_classes_that_they_found_first() -> None:
    [bars] = plots.coverage({"pct": 3, "random": 0})
    assert bars.bars == [("pct", 3.0), ("random", 0.0)]
    assert not list(plots.coverage({"pct": 3})) and not list(plots.coverage({"pct": 0, "random": 0}))


def test_a_page_draws_them_and_a_terminal_in_a_line() -> None:
    told = {name: {"executions": 10, "classes": n, "hits": 1} for name, n in (("pct", 4), ("walk", 8))}
    explore = {"strategy": "portfolio", "executions": 20, "failures": 2, "strategies": told}
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
