"""A finding that a complete proof excludes: the cell is unknown, and says whose fault it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import racebench as rb
from racebench import cli
from racebench.campaign import cell_run as cells
from racebench.campaign import modes, runner
from racebench.campaign.cell import Plan
from racebench.campaign.contradictions import covered, excluded
from racebench.campaign.results import read_run
from racebench.campaign.runner import Options, cells_for, run_campaign
from racebench.findings import Finding, Result
from racebench.records import Cell, FindingRecord, ModeResult
from racebench.scenario.scenario import load_scenario

from ..fakes import Heard, Here
from ..inner import run, write

pytest_plugins = ["pytester"]

ACCOUNT = """\
import racebench as rb
TITLE, SOURCE, TAGS, EXPECT = "account", "", [], {"plain": [], "shared": [], "short": []}
class Account(rb.State):
    kept = rb.shared(0, atomic=True)
    def __init__(self):
        self.lock = rb.Lock("account")
        self.balance = 0
def deposit(s):
    s.balance += 1
    with s.lock:
        pass
def shared(s):
    with s.lock:
        s.kept += 1
def lost(s, results):
    return rb.broken("account.lost", "whatever the threads do")
def program(name, function, check=None):
    return rb.Program(name, Account, {"a": function, "b": function}, check)
def variants():
    return {
        "plain": program("plain", deposit),
        "shared": program("shared", shared),
        "short": program("short", shared, lost),
    }
"""
LOST = Finding("account.lost", "account.lost: lost", "a deposit is lost", mode="stress")


def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str, found: Finding) -> Cell:
    """The cell of ``variant`` whose stress finds ``found``, whatever it does."""

    def stress(program: Any, seconds: float, seed: int, **how: Any) -> Result:
        return Result(rb.Verdict.FOUND, False, 10, 0.1, (found,), 1, 1, stats={"lost": ["a"]})

    monkeypatch.setattr(modes, "stress", stress)
    monkeypatch.setattr(runner, "Pool", Here)
    monkeypatch.setattr(cells, "_SHORTEST_REPRODUCE_S", 0.05)
    path = tmp_path / "account.py"
    path.write_text(ACCOUNT, encoding="utf-8")
    run = run_campaign(cells_for([load_scenario(path)], [variant]), Options(Plan(), 0.5), Heard())
    [cell] = run.cells
    return cell


def record(finding: Finding, mode: str) -> FindingRecord:
    return FindingRecord(finding, "account", "plain", seen={mode: 1})


def test_what_the_program_touches_unseen_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = _run(tmp_path, monkeypatch, "plain", LOST)
    assert (cell.verdict, cell.verify.complete) == ("unknown", False)
    [said] = cell.unseen
    assert said.startswith("account.lost was found, and the proof excludes it")
    assert "Account.balance, a plain attribute, is written by" in said
    assert not cell.failed


def test_where_nothing_is_unseen_the_fault_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = _run(tmp_path, monkeypatch, "shared", LOST)
    assert (cell.verdict, cell.failed) == ("unknown", True)
    assert "a fault of RaceBench. Please report it." in cell.error


LIES = """
from racebench.campaign import modes
from racebench.findings import Result, Verdict
modes.verify = lambda *args, **how: Result(Verdict.CLEAN, True, 1, 0.1, (), stats={"done": 1.0, "unseen": ()})
"""
"""In the process that runs the program: a proof of whatever it is asked about."""


@pytest.mark.parametrize(("lying", "status"), [(True, 3), (False, 1)])
def test_run_says_that_racebench_failed(
    lying: bool,
    status: int,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hammered program breaks its rule each time, and does so again under control."""
    # The file is loaded here too, to see what it has: put back what it puts in the proof's place.
    monkeypatch.setattr(modes, "verify", modes.verify)
    path, out = tmp_path / "account.py", tmp_path / "out"
    path.write_text(ACCOUNT + LIES * lying, encoding="utf-8")
    words = ["run", str(path), "--protocol", "short", "--time", "1s", "--out", str(out)]
    assert cli.main(words) == status
    said = "account.lost was found, and the proof excludes it: a fault of RaceBench. Please report it."
    printed = capsys.readouterr()
    assert (said in printed.err) is lying
    [cell] = read_run(out).cells
    assert (cell.verdict, cell.found) == ("unknown" if lying else "unexpected", ("account.lost",))
    assert cell.failed is lying


@pytest.mark.parametrize("lying", [True, False])
def test_an_item_fails_and_says_so(lying: bool, inner: pytest.Pytester) -> None:
    """The same under pytest: of an item that was ``unexpected`` nothing is known any more."""
    write(inner, account__py=ACCOUNT + LIES * lying)
    # The file puts a lie in the place of the proof, in the process that loads it.
    result = run(inner, "scenarios", "-k", "short", "--race-out", "out", apart=True)
    result.assert_outcomes(failed=1)
    [cell] = read_run(inner.path / "out").cells
    assert cell.verdict == ("unknown" if lying else "unexpected")
    text = " ".join(result.stdout.str().split())
    assert ("the proof excludes it: a fault of RaceBench. Please report it." in text) is lying


@pytest.mark.parametrize("mode", ["stress", "verify"])
def test_what_is_not_seen_is_the_same_in_every_mode(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "account.py"
    path.write_text(ACCOUNT, encoding="utf-8")
    cells_ = cells_for([load_scenario(path)], ["plain"])
    [cell] = run_campaign(cells_, Options(Plan((mode,)), 0.3), Heard()).cells
    assert cell.verdict == "unknown"
    [said] = cell.unseen
    assert "Account.balance, a plain attribute, is written by" in said


@pytest.mark.parametrize("rule", ["lock_order.inversion", "stall.hang", "data_race"])
def test_predictions_and_stalls_contradict_nothing(rule: str) -> None:
    assert excluded([record(Finding(rule, rule, rule), "stress")]) == []


def test_the_same_rule_in_other_words_is_the_same_fault() -> None:
    proved = Finding("account.lost", "account.lost: other words", "lost")
    assert excluded([record(LOST, "stress"), record(proved, "verify")]) == []
    assert excluded([record(LOST, "stress")]) == [LOST]


@pytest.mark.parametrize(
    ("verify", "unseen", "whole"),
    [
        (None, (), False),
        ({"complete": True, "done": 1.0}, (), True),
        ({"complete": False, "done": 0.5}, (), False),
        ({"complete": False, "done": 1.0}, ("something",), True),
        ({"complete": False, "done": 1.0, "preemption_bound": 2}, ("something",), False),
    ],
)
def test_only_all_that_can_be_seen_excludes_anything(
    verify: Any, unseen: tuple[str, ...], whole: bool
) -> None:
    proof = None if verify is None else ModeResult("verify", 4, **verify)
    assert covered(Cell("s", "p", verify=proof, unseen=unseen)) is whole


@pytest.mark.parametrize("mode", ["verify", "explore", "stress"])
def test_a_race_test_of_nothing_fails(mode: str) -> None:
    how = {"seconds": 0.1} if mode == "stress" else {}

    @rb.race_test(mode=mode, **how)
    def nothing() -> rb.Program:
        return rb.Program("nothing", rb.State, {"a": lambda s: 1, "b": lambda s: 2})

    with pytest.raises(AssertionError, match=r"no answer after .*no thread touched a shared field or a lock"):
        nothing()
