"""Processes that help each other: one cell hammered by two of them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from racebench.campaign.cell import Plan
from racebench.campaign.children import Workers
from racebench.campaign.runner import Options, cells_for, run_campaign
from racebench.campaign.stop import Stop
from racebench.findings import Result

from ..fakes import Heard, scenario


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


def test_a_stop_reaches_both(tmp_path: Path) -> None:
    stop = Stop()

    class Impatient(Heard):
        def cell_progress(self, scenario: str, protocol: str, mode: str, progress: Any) -> None:
            stop.ask()

    cells = cells_for([scenario(tmp_path)], ["no_rank_lock"])
    run = run_campaign(cells, Options(Plan(("stress",)), 60.0, jobs=2), Impatient(), stop)
    [cell] = run["cells"]
    assert run["interrupted"]
    assert cell["partial"]
    assert cell["stress"]["collisions"] > 0
    assert not multiprocessing.active_children()
