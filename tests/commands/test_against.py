"""``--against``: from the command line to the exit status, by the real engines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from racebench import cli

Capture = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch

MINE = """\
from racebench.vgic import protocol

class Renamed(protocol("baseline")):
    SUMMARY = "the part of release that takes the rank lock, in a function of its own"

    def gic_remove_irq_from_guest(self, d, virq, desc):
        return self.removed(d, virq, desc)

    def removed(self, d, virq, desc):
        from racebench.vgic.state import spi_to_pending
        with self.rank_of(d, virq).lock:
            return self.unmap_irq(d, spi_to_pending(d, virq), desc)

class Worse(protocol("baseline")):
    SUMMARY = "no rank lock in route"

    def gic_route_irq_to_guest(self, d, virq, desc, priority):
        return protocol("no_rank_lock").gic_route_irq_to_guest(self, d, virq, desc, priority)
"""


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    Path("mine.py").write_text(MINE)


def told(argv: Sequence[str], status: int) -> Any:
    assert cli.main([*argv, "--out", "r", "-q", "--json", "r.json"]) == status
    value = json.loads(Path("r.json").read_text())
    assert value == json.loads(Path("r/run.json").read_text())
    [one] = value["against"]
    return one


def test_a_function_by_another_name_is_nothing_new(capsys: Capture) -> None:
    argv = ["verify", "release_vs_isenabler", "--protocol", "mine.py:Renamed", "--against"]
    one = told(argv, 0)
    assert (one["parent"], one["new"], one["fixed"]) == ("baseline", [], [])
    out = capsys.readouterr().out
    assert out.startswith("Renamed against baseline: nothing new, nothing fixed, ")
    # The signatures do differ, or there was nothing to find out.
    files = [json.loads(path.read_text()) for path in Path("r/findings").glob("*.json")]
    rings = {f["protocol"]: f["signature"] for f in files if f["rule"] == "deadlock.cycle"}
    assert "in removed," in rings["Renamed"]
    assert rings["Renamed"] != rings["baseline"]
    assert len(files) == 2 * one["both"] > 0
    # It is all there for those who read what is stored.
    assert cli.main(["explain", "r"]) == 0
    assert "Renamed against baseline" in capsys.readouterr().out
    assert cli.main(["report", "r", "--html", "r.html", "--markdown", "r.md"]) == 0
    for page in ("r.html", "r.md"):
        assert "Renamed against baseline" in Path(page).read_text()


@pytest.mark.parametrize("parent", [["baseline"], ["parent"], []])
def test_what_is_new_is_1(parent: list[str], capsys: Capture) -> None:
    argv = ["verify", "pairs/route_vs_route", "--protocol", "mine.py:Worse", "--against", *parent]
    one = told(argv, 1)
    assert {seen["rule"] for seen in one["new"]} == {"mapping.corrupted", "mapping.double_success"}
    assert (one["fixed"], one["open"]) == ([], [])
    assert "Worse against baseline: 2 new findings, nothing fixed" in capsys.readouterr().out


def test_what_is_expected_of_neither_but_old_is_0() -> None:
    # The other way round it is a repair, and what is as it was is nobody's fault.
    argv = ["verify", "pairs/route_vs_route", "--protocol", "baseline", "--against", "mine.py:Worse"]
    one = told(argv, 0)
    assert len(one["fixed"]) == 2


def test_compare_holds_the_protocols_of_stored_runs_against_each_other(capsys: Capture) -> None:
    for protocol in ("baseline", "no_rank_lock"):
        argv = ["verify", "pairs/route_vs_route", "--protocol", protocol, "--out", protocol, "-q"]
        assert cli.main(argv) == 0
    capsys.readouterr()
    assert cli.main(["compare", "baseline", "no_rank_lock", "--against", "baseline", "--json", "c.json"]) == 1
    assert "no_rank_lock against baseline" in capsys.readouterr().out
    [one] = json.loads(Path("c.json").read_text())["against"]
    assert len(one["new"]) == 2
    assert cli.main(["compare", "no_rank_lock", "baseline", "--against", "no-rank-lock"]) == 0
    assert cli.main(["compare", "baseline", "no_rank_lock", "--against", "domain_lock"]) == 2


def test_an_ablation_against_another(capsys: Capture) -> None:
    argv = ["ablate", "mine.py:Worse", "pairs/route_vs_route", "--against", "--out", "a", "-q"]
    assert cli.main(argv) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[1] == "Against baseline: 2 rules broken anew."
    value = json.loads(Path("a/ablation.json").read_text())["against"]
    assert (value["parent"], value["fixed"], value["regression"]) == ("baseline", [], True)
    assert cli.main(["explain", "a"]) == 0
    out = capsys.readouterr().out
    assert "\nnew:\n" in out
    assert "mapping.corrupted in route_vs_route" in out
    assert "needed: without rank in gic_route_irq_to_guest" in out
    argv = ["ablate", "baseline", "pairs/route_vs_route", "--against", "mine.py:Worse", "--out", "b", "-q"]
    assert cli.main(argv) == 0
    assert capsys.readouterr().out.splitlines()[1] == "Against Worse: nothing new breaks."


def test_a_resumed_run_still_says_it(capsys: Capture) -> None:
    argv = ["run", "pairs/route_vs_route", "--only", "verify", "--protocol", "no_rank_lock", "--against"]
    told(argv, 1)
    Path("r/run.json").unlink()
    assert cli.main(["run", "--resume", "r", "-q"]) == 1
    [one] = json.loads(Path("r/run.json").read_text())["against"]
    assert len(one["new"]) == 2


@pytest.mark.parametrize(
    "argv",
    [
        ["run", "--against"],
        ["verify", "route_vs_route", "--protocol", "baseline", "--against", "baseline"],
        ["verify", "--protocol", "no_rank_lock", "--against", "route_vs_route"],
    ],
)
def test_nothing_to_compare_is_2(argv: list[str], capsys: Capture) -> None:
    assert cli.main(argv) == 2
    assert capsys.readouterr().err.startswith("racebench: ")
    assert not Path("reports").exists()
