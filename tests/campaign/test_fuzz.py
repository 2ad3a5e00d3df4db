"""Fuzzing: the known bugs come from nothing, and what is new becomes a scenario that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from racebench import cli, vgic
from racebench.campaign import fuzz, modes
from racebench.campaign.results import read_finding, read_run
from racebench.campaign.stop import Stop
from racebench.campaign.store import RunFolder
from racebench.scenario.scenario import load_scenario
from racebench.scenario.selection import load_protocol

WANTED = {
    "release_vs_isenabler": ("deadlock.cycle", "gic_remove_irq_from_guest", "vgic_enable_irqs"),
    "release_vs_icenabler": ("deadlock.cycle", "gic_remove_irq_from_guest", "vgic_disable_irqs"),
    "irq_vs_icenabler": ("deadlock.cycle", "do_IRQ", "vgic_disable_irqs"),
    "itargetsr_pending": ("deadlock.self", "vgic_get_virq_priority", "write_itargetsr"),
}


class Until:
    """A listener that asks to stop once ``enough`` of what was met."""

    def __init__(self, stop: Stop, enough: Any) -> None:
        self.stop, self.enough, self.all = stop, enough, list[fuzz.Met]()

    def progress(self, drawn: int, seconds: float) -> None:
        pass

    def met(self, met: fuzz.Met) -> None:
        self.all.append(met)
        if self.enough(self.all):
            self.stop.ask()


def run(tmp_path: Path, protocol: str, enough: Any, **how: Any) -> tuple[fuzz.Fuzzed, Path]:
    stop, folder = Stop(), RunFolder(tmp_path / "run")
    listener = Until(stop, enough)
    fuzzed = fuzz.fuzz(load_protocol(protocol), 50.0, 0, folder, listener, stop, **how)
    folder.finish(fuzz.run_record(fuzzed, 50.0, None))
    return fuzzed, folder.path


def shows(met: list[fuzz.Met], words: tuple[str, ...]) -> bool:
    return any(all(word in m.signature for word in words) for m in met)


def test_the_deadlocks_of_the_baseline_are_met_and_known(tmp_path: Path) -> None:
    fuzzed, _ = run(tmp_path, "baseline", lambda met: all(shows(met, w) for w in WANTED.values()))
    for words in WANTED.values():
        [met] = [m for m in fuzzed.met if all(word in m.signature for word in words)]
        assert met.covered and not met.scenario
    assert len({m.signature for m in fuzzed.met}) == len(fuzzed.met)


def test_what_is_new_is_made_small_and_runs_as_a_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz, "bundled", lambda: [])
    words = WANTED["release_vs_isenabler"]
    fuzzed, folder = run(tmp_path, "baseline", lambda met: shows(met, words))
    [met] = [m for m in fuzzed.met if all(word in m.signature for word in words)]
    scenario = load_scenario(Path(met.scenario))
    operations = sorted(op.name for ops in scenario.threads.values() for op in ops)
    assert operations == ["isenabler", "release"]
    assert scenario.initial is not None and scenario.initial.routed == ((40, 64, False),)
    found = {f.rule for f in modes.verify(scenario.program("baseline")).findings}
    assert found == set(scenario.expected("baseline"))
    [cell] = [c for c in read_run(folder).cells if c.scenario == scenario.name]
    for path in cell.findings:
        record = read_finding(folder / path)
        assert record.source == scenario.text
        replayed = modes.replay(scenario.program("baseline"), record.finding.schedule)
        assert record.finding.signature in {f.signature for f in replayed.findings}


def test_a_clean_protocol_stays_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(Until):
        def progress(self, drawn: int, seconds: float) -> None:
            if drawn == 60:
                self.stop.ask()

    monkeypatch.setattr(fuzz, "bundled", lambda: [])
    stop = Stop()
    folder = RunFolder(tmp_path / "run")
    listener = Counting(stop, lambda met: False)
    fuzzed = fuzz.fuzz(load_protocol("creation_guard"), 50.0, 1, folder, listener, stop, "creating")
    assert fuzzed.interrupted and fuzzed.drawn == 60
    assert not [m for m in fuzzed.met if m.rule.startswith(("deadlock", "mapping"))]


def test_the_verb_stores_a_run_that_can_be_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fuzz, "bundled", lambda: [])
    out = str(tmp_path / "run")
    assert cli.main(["fuzz", "no-rank-lock", "--time", "2s", "--out", out, "--json", "-"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["fuzz"]["protocol"] == "no_rank_lock"
    assert told["cells"] and all(m["covered"] is None for m in told["fuzz"]["met"])
    assert cli.main(["explain", out]) == 0
    assert "fuzz_001" in capsys.readouterr().out


def test_a_variant_or_a_state_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(fuzz.UsageError, match="is no state"):
        run(tmp_path, "baseline", lambda met: True, state="asleep")
    assert "baseline" in vgic.protocol_ids()
