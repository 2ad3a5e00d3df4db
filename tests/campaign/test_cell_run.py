"""One cell, with the engine played by a fake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from racebench.campaign import cell_run as module
from racebench.campaign.cell import CellResult, Earlier, Plan
from racebench.campaign.cell_run import run_cell
from racebench.campaign.stop import Stop
from racebench.engine.progress import Progress
from racebench.errors import ProgramError
from racebench.records import Cell, ModeResult

from ..fakes import STEPS, Engine, Heard, finding, result, target

Patch = pytest.MonkeyPatch


BOTH = Plan()
STRESS = Plan(modes=("stress",))
PROVED = result(complete=True, executions=4)


def run(
    tmp_path: Path, monkeypatch: Patch, fake: Engine, plan: Plan = BOTH, **how: Any
) -> tuple[CellResult, Heard]:
    monkeypatch.setattr(module, "modes", fake)
    heard = Heard()
    protocol, stop = how.pop("protocol", "baseline"), how.pop("stop", Stop())
    done = run_cell(target(tmp_path, protocol), plan, 0.0, heard, stop, **how)
    return done, heard


def test_a_clean_cell(tmp_path: Path, monkeypatch: Patch) -> None:
    done, heard = run(tmp_path, monkeypatch, Engine(verify=PROVED, stress=result(executions=300)))
    assert done.cell.verdict == "as_expected"
    assert done.cell.verify.complete is True
    assert done.cell.verify.executions == 4
    assert done.cell.stress.executions == 300
    assert done.cell.stress.miss_bound == pytest.approx(0.01)
    assert not heard.all("finding")
    assert [mode for _, _, mode, _ in heard.all("cell_started")] == ["verify", "stress"]


def test_one_signature_is_one_finding_over_all_modes(tmp_path: Path, monkeypatch: Patch) -> None:
    fake = Engine(
        verify=result(finding(schedule=STEPS, mode="verify"), complete=True),
        stress=result(finding(count=41, mode="stress"), first_failure_s=0.5),
    )
    done, heard = run(tmp_path, monkeypatch, fake)
    assert done.cell.found == ("mapping.corrupted",)
    assert done.cell.verdict == "unexpected"
    assert done.cell.stress.miss_bound is None
    assert done.seen == {"mapping.corrupted: p.desc": {"verify": 1, "stress": 41}}
    [(record,)] = heard.all("finding")
    assert record.finding.schedule == STEPS
    assert not [mode for mode, _ in fake.calls if mode == "reproduce"]


def test_a_finding_of_the_free_run_is_told_at_once_and_again_with_its_schedule(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    fake = Engine(
        stress=result(finding(mode="stress", after=3)), reproduce=finding(schedule=STEPS, mode="explore")
    )
    _, heard = run(tmp_path, monkeypatch, fake, STRESS)
    first, second = (f for (f,) in heard.all("finding"))
    assert first.finding.schedule == ()
    assert second.finding.schedule == STEPS
    assert (second.finding.mode, second.finding.after) == ("stress", 3)


def test_all_that_has_no_schedule_is_looked_for_at_once(tmp_path: Path, monkeypatch: Patch) -> None:
    rules = ("mapping.corrupted", "deadlock.cycle", "crash.null_desc")
    fake = Engine(
        stress=result(*(finding(rule, mode="stress") for rule in rules)),
        reproduce=finding("deadlock.cycle", schedule=STEPS),
    )
    _, heard = run(tmp_path, monkeypatch, fake, STRESS)
    [asked] = [how for mode, how in fake.calls if mode == "reproduce"]
    assert [f.rule for f in asked["wanted"]] == list(rules)
    last = {f.finding.rule: f.finding for (f,) in heard.all("finding")}
    assert [rule for rule in rules if last[rule].schedule] == ["deadlock.cycle"]
    assert [mode for _, _, mode, _ in heard.all("cell_started")].count("reproduce") == 1


def test_what_is_not_reproduced_says_so(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(module, "_SHORTEST_REPRODUCE_S", 0.01)
    _, heard = run(tmp_path, monkeypatch, Engine(stress=result(finding())), STRESS)
    *_, (last,) = heard.all("finding")
    assert last.finding.schedule == ()
    assert last.finding.evidence["reproduced"] is False
    assert "under control" in last.finding.evidence["not_reproduced"]


def test_what_fails_before_the_first_step_is_not_searched_for(tmp_path: Path, monkeypatch: Patch) -> None:
    fake = Engine(verify=result(finding(), complete=True), stress=result(finding(count=7)))
    _, heard = run(tmp_path, monkeypatch, fake)
    assert [mode for mode, _ in fake.calls] == ["verify", "stress"]
    *_, (last,) = heard.all("finding")
    assert last.finding.evidence["not_reproduced"].startswith("it happens before the first step")


def test_a_hang_has_no_schedule_to_look_for(tmp_path: Path, monkeypatch: Patch) -> None:
    fake = Engine(stress=result(finding("stall.hang"), stats={"lost": ["a"]}))
    run(tmp_path, monkeypatch, fake, STRESS)
    assert [mode for mode, _ in fake.calls] == ["stress"]


def test_stress_alone_does_not_say_missed(tmp_path: Path, monkeypatch: Patch) -> None:
    done, _ = run(tmp_path, monkeypatch, Engine(stress=result()), STRESS, protocol="no_rank_lock")
    assert done.cell.verdict == "unknown"


def test_a_proof_says_missed(tmp_path: Path, monkeypatch: Patch) -> None:
    done, _ = run(tmp_path, monkeypatch, Engine(verify=PROVED, stress=result()), protocol="no_rank_lock")
    assert done.cell.verdict == "missed"


def test_no_proof_within_the_budget_is_unknown(tmp_path: Path, monkeypatch: Patch) -> None:
    done, _ = run(tmp_path, monkeypatch, Engine(verify=result(), stress=result()))
    assert done.cell.verdict == "unknown"


def test_a_long_stress_runs_in_slices_with_seeds_of_their_own(tmp_path: Path, monkeypatch: Patch) -> None:
    clock = iter(range(0, 1000, 5))
    monkeypatch.setattr(module, "perf_counter", lambda: float(next(clock)))
    slices = [
        result(executions=100, seconds=10.0),
        result(finding(schedule=STEPS), executions=50, seconds=10.0, first_failure_s=2.0),
        *(result(finding(schedule=STEPS), executions=1) for _ in range(20)),
    ]
    fake = Engine(stress=slices)
    monkeypatch.setattr(module, "modes", fake)
    done = run_cell(target(tmp_path), STRESS, 60.0, Heard(), Stop())
    assert done.cell.stress is not None
    assert done.cell.stress.executions >= 150
    assert done.cell.stress.first_failure == 12.0
    seeds = [how["seed"] for _, how in fake.calls]
    assert len(seeds) == len(set(seeds)) > 2
    assert seeds[0] == 0


def test_a_stop_ends_the_cell_and_keeps_what_is_known(tmp_path: Path, monkeypatch: Patch) -> None:
    stop = Stop()

    def stress(**how: Any) -> Any:
        with pytest.raises(KeyboardInterrupt):
            stop.ask()
        return result(finding(), interrupted=True)

    done, heard = run(tmp_path, monkeypatch, Engine(verify=result(), stress=stress), stop=stop)
    assert done.cell.partial
    assert done.cell.found == ("mapping.corrupted",)
    *_, (last,) = heard.all("finding")
    assert last.finding.evidence["not_reproduced"] == "interrupted"


def test_an_interrupt_that_the_engine_lets_out_is_a_stop_too(tmp_path: Path, monkeypatch: Patch) -> None:
    stop = Stop()
    stop.ask()
    done, _ = run(tmp_path, monkeypatch, Engine(), stop=stop)
    assert done.cell.partial
    assert done.cell.verdict == "unknown"
    assert done.cell.verify is None


def test_progress_tells_a_stop_that_the_engine_swallowed(tmp_path: Path, monkeypatch: Patch) -> None:
    stop = Stop()

    def verify(progress: Any, **how: Any) -> Any:
        with pytest.raises(KeyboardInterrupt):
            stop.ask()
        with pytest.raises(KeyboardInterrupt):
            progress(Progress(1, 0, 0.1))
        return result(interrupted=True)

    done, heard = run(tmp_path, monkeypatch, Engine(verify=verify), stop=stop)
    assert done.cell.partial
    assert len(heard.all("cell_progress")) == 1


def test_a_program_that_cannot_be_run_is_the_cells_error(tmp_path: Path, monkeypatch: Patch) -> None:
    done, _ = run(tmp_path, monkeypatch, Engine(verify=ProgramError("two_routes: setup raised")))
    assert done.cell.error == "two_routes: setup raised"
    assert done.cell.verdict == "unknown"
    assert not done.cell.partial


def test_what_was_found_before_the_program_failed_is_kept(tmp_path: Path, monkeypatch: Patch) -> None:
    error = ProgramError("two_routes: setup raised")
    error.findings = (finding(schedule=STEPS, mode="verify"),)
    done, heard = run(tmp_path, monkeypatch, Engine(verify=error))
    assert done.cell.error == "two_routes: setup raised"
    assert done.cell.found == ("mapping.corrupted",)
    assert heard.all("finding")


def test_earlier_findings_are_kept(tmp_path: Path, monkeypatch: Patch) -> None:
    _, heard = run(
        tmp_path,
        monkeypatch,
        Engine(verify=result(finding(schedule=STEPS, count=3), complete=True)),
        Plan(("verify",)),
    )
    [(stored,)] = heard.all("finding")
    earlier = Earlier(findings=(stored,))
    done, heard = run(tmp_path, monkeypatch, Engine(verify=PROVED), Plan(("verify",)), earlier=earlier)
    assert done.cell.found == ("mapping.corrupted",)
    assert done.seen == {stored.finding.signature: stored.seen}
    # Who handed it in has it already.
    assert not heard.all("finding")


def test_what_was_only_remembered_is_not_found_and_looked_for_no_more(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    """A soak hands in what an earlier visit found, to be counted only if it is met again."""
    known = target(tmp_path).record(finding(schedule=STEPS), "stress", ["a", "b"])
    earlier = Earlier(findings=(replace(known, seen={}),))
    done, _ = run(tmp_path, monkeypatch, Engine(stress=result()), STRESS, earlier=earlier)
    assert (done.cell.found, done.seen) == ((), {})
    met = Engine(stress=result(finding(count=3)))
    done, heard = run(tmp_path, monkeypatch, met, STRESS, earlier=earlier)
    assert done.seen == {known.finding.signature: {"stress": 3}}
    assert not heard.all("finding")
    assert [mode for mode, _ in met.calls] == ["stress"]


STRESSED = ModeResult("stress", 900, 3, 7.0, 30.0)
PROVEN = ModeResult("verify", 4, seconds=2.0, complete=True, done=1.0)


def test_what_was_cut_off_is_gone_on_with(tmp_path: Path, monkeypatch: Patch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])

    def stress(seconds: float, **how: Any) -> Any:
        now[0] += seconds
        return result(executions=100, seconds=seconds)

    fake, heard = Engine(stress=stress), Heard()
    monkeypatch.setattr(module, "modes", fake)
    earlier = Earlier(Cell("two_routes", "baseline", verify=PROVEN, stress=STRESSED, proof=True))
    done = run_cell(target(tmp_path), BOTH, 60.0, heard, Stop(), earlier)
    # 60 s less the 32 it has had and the 6 that reproducing would take.
    assert [mode for mode, _ in fake.calls] == ["stress"] * 3
    assert sum(how["seconds"] for _, how in fake.calls) == pytest.approx(22.0)
    assert done.cell.verify == PROVEN
    assert done.cell.stress == ModeResult("stress", 1200, 3, 7.0, 52.0)
    # Three slices were run before: none of their seeds again.
    assert [how["seed"] // module._SLICE_SEED for _, how in fake.calls] == [4, 5, 6]
    assert [cell.stress.executions for cell, _ in heard.all("cell_so_far")] == [1000, 1100, 1200]
    assert {cell.verdict for cell, _ in heard.all("cell_so_far")} == {"as_expected"}


def test_each_slice_tells_how_often_all_was_seen(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(module, "_SLICE_S", 0.0)
    monkeypatch.setattr(module, "_SHORTEST_S", 0.0)
    clock = iter(range(1000))
    monkeypatch.setattr(module, "perf_counter", lambda: float(next(clock)))
    same = [result(finding(schedule=STEPS)) for _ in range(9)]
    fake = Engine(stress=[*same, ProgramError("enough")])
    monkeypatch.setattr(module, "modes", fake)
    heard = Heard()
    run_cell(target(tmp_path), STRESS, 900.0, heard, Stop())
    [(record,)] = heard.all("finding")
    counts = [seen[record.finding.signature]["stress"] for _, seen in heard.all("cell_so_far")]
    assert counts == list(range(1, 10))


def test_explore_runs_the_executions_it_was_given(tmp_path: Path, monkeypatch: Patch) -> None:
    fake = Engine(explore=result(finding(schedule=STEPS), first_failure=4, stats={"strategies": {"pct": {}}}))
    done, _ = run(tmp_path, monkeypatch, fake, Plan(("explore",), 5, strategy="pct", executions=20))
    [(_, how)] = fake.calls
    assert (how["strategy"], how["executions"], how["seed"], how["seconds"]) == ("pct", 20, 5, None)
    assert done.cell.explore.first_failure == 4
    assert done.cell.verify is done.cell.stress is None
