"""Processes that help each other: one cell on two of them, and what a loss costs."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from racebench import workers
from racebench.campaign import Options, cells_for, run_campaign
from racebench.cell import Plan
from racebench.findings import Result
from racebench.records import Cell
from racebench.scenario import load_scenario
from racebench.stop import Stop
from racebench.workers import Workers

from .fakes import Heard, scenario

# 11! / (4! 4! 3!) classes.
WRITES = """\
import racebench as rb
TITLE, TAGS, EXPECT = "three threads write", [], {"any": [], "last": ["last.is_22"]}
class S(rb.State):
    x = rb.shared(0, atomic=True)
def writes(k):
    def go(s):
        for n in range(4 if k < 2 else 3):
            s.x = 10 * k + n
    return go
def check(s, results):
    return rb.broken("last.is_22", "the last write is the last thread's") if s.x == 22 else None
def variants():
    threads = {f"t{k}": writes(k) for k in range(3)}
    return {"any": rb.Program("any", S, threads), "last": rb.Program("last", S, threads, check=check)}
"""
CLASSES = 11_550


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has nothing to do is lent to the other without waiting whether that is worth it."""
    monkeypatch.setattr(workers, "_PATIENCE_S", 0.0)


def _cells(tmp_path: Path, variant: str) -> list[Cell]:
    path = tmp_path / "writes.py"
    path.write_text(WRITES, encoding="utf-8")
    return cells_for([load_scenario(path)], [variant])


class Parts:
    """Sees the parts that go to helpers; the first ``kill`` helpers are killed as they get theirs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kill: int = 0) -> None:
        self.given = 0
        to_helper = Workers._to_helper

        def seen(self_: Workers, owner: Any, number: int, word: str, what: Any) -> None:
            to_helper(self_, owner, number, word, what)
            if word == "part":
                self.given += 1
                if self.given <= kill:
                    next(w for w in self_.workers if w.number == number).process.kill()

        monkeypatch.setattr(Workers, "_to_helper", seen)


def test_two_processes_prove_one_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(monkeypatch)
    cells = _cells(tmp_path, "last")
    run = run_campaign(cells, Options(Plan(("verify",)), 60.0, jobs=2), Heard())
    [cell] = run["cells"]
    assert (cell["verdict"], cell["found"]) == ("as_expected", ["last.is_22"])
    assert (cell["verify"]["complete"], cell["verify"]["executions"]) == (True, CLASSES)
    assert parts.given
    assert not multiprocessing.active_children()


def test_helpers_that_are_killed_cost_their_parts_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(monkeypatch, kill=2)
    cells = _cells(tmp_path, "last")
    run = run_campaign(cells, Options(Plan(("verify",)), 60.0, jobs=2), Heard())
    [cell] = run["cells"]
    assert (cell["verdict"], cell["verify"]["complete"]) == ("as_expected", True)
    assert cell["verify"]["executions"] >= CLASSES
    assert "error" not in cell
    assert parts.given >= 2


def test_a_bound_is_shared_out_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(monkeypatch)
    cells = _cells(tmp_path, "any")
    told = []
    for jobs in (1, 2):
        plan = Plan(("verify",), preemptions=5)
        run = run_campaign(cells, Options(plan, 60.0, jobs=jobs), Heard())
        told.append({k: v for k, v in run["cells"][0]["verify"].items() if k != "seconds"})
    assert told[0] == told[1]
    assert told[0]["preemption_bound"] == 5
    assert parts.given


def test_a_stop_reaches_owner_and_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, stop = Parts(monkeypatch), Stop()

    class Impatient(Heard):
        def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
            if parts.given and progress.executions > 4_000:
                stop.ask()

    options = Options(Plan(("verify",)), 60.0, jobs=2, out=tmp_path / "out")
    run = run_campaign(_cells(tmp_path, "last"), options, Impatient(), stop)
    [cell] = run["cells"]
    assert run["interrupted"]
    assert (cell["verdict"], cell["found"], cell["verify"]["complete"]) == ("unknown", ["last.is_22"], False)
    assert not multiprocessing.active_children()


def test_two_processes_hammer_one_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helped: list[Result] = []
    slice_ = Workers._slice

    def seen(self: Workers, helper: Any, result: Result) -> None:
        helped.append(result)
        slice_(self, helper, result)

    monkeypatch.setattr(Workers, "_slice", seen)
    cells = cells_for([scenario(tmp_path)], ["no_rank_lock"])
    run = run_campaign(cells, Options(Plan(("stress",)), 4.0, jobs=2), Heard())
    [cell] = run["cells"]
    assert cell["verdict"] == "as_expected"
    assert helped
    assert cell["stress"]["collisions"] > sum(result.executions for result in helped) > 0
    assert cell["stress"]["failures"] >= sum(result.failures for result in helped)
