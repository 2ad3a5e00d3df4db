"""Lines that GitHub shows at the code, and where in a repository a place is."""

from __future__ import annotations

from pathlib import Path

import pytest

from racebench.report.annotations import github_lines, wanted
from racebench.report.formats.sarif import render
from racebench.report.places import Repository

from .samples import cell, finding, step, stored


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        ".git/config",
        "src/cache/cache.py",
        "src/a/same.py",
        "old/a/same.py",
        ".venv/cache/cache.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    monkeypatch.chdir(tmp_path / "src")
    return tmp_path


def test_a_site_is_found_in_the_repository(repository: Path) -> None:
    here = Repository()
    assert here.root == repository
    spot = here.spot("get (cache/cache.py:12)")
    assert spot is not None and (spot.function, spot.file, spot.line) == ("get", "src/cache/cache.py", 12)
    assert here.file("a/same.py") == "a/same.py", "it is there twice"
    assert here.file("none.py") == "none.py"
    assert here.file("vgic/irq.py") == "racebench/vgic/irq.py", "the package itself is elsewhere"
    assert here.spot("no place") is None


def test_what_is_unexpected_is_an_error_at_its_line(repository: Path) -> None:
    broken = cell("test_cache.py::test", "verify", found=["data_race"], verdict="unexpected")
    accesses = [{"thread": "a", "op": "write", "site": "evict (cache/cache.py:7)"}]
    race = finding(
        rule="data_race", signature="data_race: Cache._data",
        scenario="test_cache.py::test", protocol="verify",
        summary="100 %\nbad", evidence={"accesses": accesses}, rerun="pytest test_cache.py::test",
    )  # fmt: skip
    lines = github_lines(stored(broken, cell(), findings=[race], folder=""))
    assert lines == [
        "::error file=src/cache/cache.py,line=7,title=data_race on Cache._data%3A evict::"
        "test_cache.py::test x verify: 100 %25\N{REPLACEMENT CHARACTER}bad%0Apytest test_cache.py::test"
    ]


def test_an_expected_finding_is_none_and_a_cell_without_an_answer_is_one() -> None:
    fine = cell("release_vs_isenabler", found=["deadlock.cycle"], expected=["deadlock.cycle"])
    assert github_lines(stored(fine)) == []
    [line] = github_lines(stored(cell(verdict="missed", expected=["data_race"])))
    assert line == "::error title=route_vs_route x baseline%3A missed::not found: data_race"


def test_only_where_github_runs_it() -> None:
    assert wanted({"GITHUB_ACTIONS": "true"}) and not wanted({})


def test_sarif_has_the_same_places_and_the_reads_of_what_is_written(repository: Path) -> None:
    steps = [
        step("a", "write", "c.x", site="evict (cache/cache.py:7)"),
        step("b", "read", "c.x", site="get (cache/cache.py:3)"),
        step("b", "read", "c.y", site="get (cache/cache.py:4)"),
    ]
    text = render(stored(findings=[finding(rule="data_race", evidence={"steps": steps})]))
    assert text.count("src/cache/cache.py") == 3, "its location, and a step of each thread's flow"
