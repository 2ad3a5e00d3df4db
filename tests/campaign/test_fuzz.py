"""Fuzzing: the known bugs come from nothing, and what is new becomes a scenario that runs."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from racebench import cli
from racebench.campaign import fuzz, modes
from racebench.campaign.child import Call
from racebench.campaign.pool import Pool
from racebench.campaign.results import read_finding, read_run
from racebench.campaign.stop import Stop
from racebench.campaign.store import RunFolder
from racebench.commands import fuzz as verb
from racebench.scenario.scenario import load_scenario

from ..fakes import Here

# Each run ends when it has met what it looks for, which takes as long as the machine takes.
pytestmark = pytest.mark.timeout(600)

WANTED = {
    "release_vs_isenabler": ("deadlock.cycle", "gic_remove_irq_from_guest", "vgic_enable_irqs"),
    "release_vs_icenabler": ("deadlock.cycle", "gic_remove_irq_from_guest", "vgic_disable_irqs"),
    "irq_vs_icenabler": ("deadlock.cycle", "do_IRQ", "vgic_disable_irqs"),
    "itargetsr_pending": ("deadlock.self", "vgic_get_virq_priority", "write_itargetsr"),
}


class Until:
    """Asks to stop once ``enough`` of what was met."""

    def __init__(self, stop: Stop, enough: Any) -> None:
        self.stop, self.enough, self.all = stop, enough, list[fuzz.Met]()

    def __call__(self, word: str, *what: Any) -> None:
        self.all += what if word == "met" else ()
        if word == "met" and self.enough(self.all):
            self.stop.ask()


def run(tmp_path: Path, protocol: str, enough: Any, seed: int = 0) -> tuple[fuzz.Fuzzed, Path]:
    stop, folder = Stop(), RunFolder(tmp_path / "run")
    listener = Until(stop, enough)
    assignment = fuzz.Assignment(protocol, 600.0, seed)
    fuzzed = fuzz.fuzz(assignment, folder, listener, stop)
    folder.finish(fuzz.run_record(fuzzed, assignment))
    return fuzzed, folder.path


def shows(met: list[fuzz.Met], words: tuple[str, ...]) -> bool:
    return any(all(word in m.signature for word in words) for m in met)


@pytest.mark.usefixtures("as_found")
def test_the_deadlocks_of_the_baseline_are_met_and_known(tmp_path: Path) -> None:
    # Of the first seeds the one that draws all four soonest.
    fuzzed, _ = run(tmp_path, "baseline", lambda met: all(shows(met, w) for w in WANTED.values()), seed=7)
    for words in WANTED.values():
        [met] = [m for m in fuzzed.met if all(word in m.signature for word in words)]
        assert met.covered and not met.scenario
    assert len({m.signature for m in fuzzed.met}) == len(fuzzed.met)


def test_what_is_new_is_made_small_and_runs_as_a_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "bundled", lambda: [])
    words = WANTED["release_vs_isenabler"]
    # Of the first seeds the one that draws it soonest.
    fuzzed, folder = run(tmp_path, "baseline", lambda met: shows(met, words), seed=17)
    [met] = [m for m in fuzzed.met if all(word in m.signature for word in words)]
    scenario = load_scenario(Path(met.scenario))
    operations = sorted(op.name for ops in scenario.threads.values() for op in ops)
    assert operations in (["isenabler", "release"], ["isenabler", "unbind"])
    assert scenario.initial is not None
    assert scenario.initial.routed in (((40, 64, False),), ((64, 64, False),))
    found = {f.rule for f in modes.verify(scenario.program("baseline")).findings}
    assert found == set(scenario.expected("baseline"))
    [cell] = [c for c in read_run(folder).cells if c.scenario == scenario.name]
    for path in cell.findings:
        record = read_finding(folder / path)
        assert record.source == scenario.text
        replayed = modes.replay(scenario.program("baseline"), record.finding.schedule)
        assert record.finding.signature in {f.signature for f in replayed.findings}


def test_a_clean_protocol_stays_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "bundled", lambda: [])
    stop = Stop()
    folder = RunFolder(tmp_path / "run")

    def until_60(word: str, *what: Any) -> None:
        if word == "progress" and what[0] == 60:
            stop.ask()

    fuzzed = fuzz.fuzz(fuzz.Assignment("creation_guard", 600.0, 1, "creating"), folder, until_60, stop)
    assert fuzzed.interrupted and fuzzed.drawn == 60
    assert not [m for m in fuzzed.met if m.rule.startswith(("deadlock", "mapping"))]


def test_the_verb_stores_a_run_that_can_be_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz, "bundled", lambda: [])
    monkeypatch.setattr(verb, "Pool", Here)
    # A clock that is looked at forty times in the two seconds, however busy the machine is.
    monkeypatch.setattr(fuzz, "time", SimpleNamespace(perf_counter=itertools.count(0, 0.05).__next__))
    out = str(tmp_path / "run")
    assert cli.main(["fuzz", "no-rank-lock", "--time", "2s", "--out", out, "--json", "-"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["fuzz"]["protocol"] == "no_rank_lock"
    assert document["cells"] and all(m["covered"] is None for m in document["fuzz"]["met"])
    assert cli.main(["explain", out]) == 0
    assert "fuzz_001" in capsys.readouterr().out


def test_it_runs_in_a_child_that_a_stop_ends(tmp_path: Path) -> None:
    stop = Stop()
    with Pool(1, stop) as pool:
        call = Call(fuzz.in_child, (fuzz.Assignment("baseline", 600.0), tmp_path / "run"))
        run, _ = pool.call(call, lambda word, *what: stop.ask())
    assert run.interrupted
    assert read_run(tmp_path / "run").interrupted


def test_a_state_that_is_none_is_refused(tmp_path: Path) -> None:
    assignment = fuzz.Assignment("baseline", 1.0, state="asleep")
    with pytest.raises(fuzz.UsageError, match="is no state"):
        fuzz.fuzz(assignment, RunFolder(tmp_path / "run"), Until(Stop(), bool), Stop())
