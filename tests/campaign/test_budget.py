"""What a budget means: work is counted, and a clock that leaps changes no answer."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import racebench as rb
from racebench.campaign import ablation, budget, cell_run, fuzz, modes, rounds, runner
from racebench.campaign.cell import Plan
from racebench.campaign.runner import Options, cells_for, run_campaign
from racebench.campaign.stop import Stop
from racebench.engine.explain import conclusion, confirmation, shrinking
from racebench.engine.free import stress
from racebench.engine.search import loop
from racebench.findings import FEWEST_COLLISIONS
from racebench.records import Cell, ModeResult
from racebench.scenario.selection import load_protocol, select

from ..fakes import Engine, Heard, Here, result, scenario
from .test_ablation import answers

CLOCKS = (cell_run, loop, conclusion, confirmation, shrinking, stress, rounds)
Patch = pytest.MonkeyPatch


class Leaps:
    """A clock by which every budget is over each time that it is looked at."""

    def __init__(self) -> None:
        self._ticks = itertools.count(0, 1_000_000)

    def perf_counter(self) -> float:
        return float(next(self._ticks))

    monotonic = perf_counter


@pytest.fixture
def leaping(monkeypatch: Patch) -> Iterator[None]:
    clock = Leaps()
    for module in CLOCKS:
        monkeypatch.setattr(module, "perf_counter", clock.perf_counter)
    for module in (runner, ablation, fuzz):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(runner, "Pool", Here)
    return iter(())


@pytest.mark.usefixtures("leaping")
def test_a_proof_that_is_small_is_finished_though_the_time_is_up() -> None:
    names = ["release_vs_release", "guard_vs_unpause", "route_vs_isenabler", "irq_vs_icenabler"]
    protocols = ["baseline", "no_rank_lock", "creation_guard", "lockfree_priority"]
    run = run_campaign(cells_for(select(names), protocols), Options(seconds=0.001), Heard())
    assert {(c.verdict, c.proved) for c in run.cells} == {("as_expected", True)}
    # What it found came from the proofs, and what was hammered is enough to say something.
    assert any(c.found for c in run.cells)
    assert all(c.stress is not None and c.stress.telling for c in run.cells)


@pytest.mark.usefixtures("leaping")
def test_a_proof_that_is_large_ends_with_the_time(monkeypatch: Patch) -> None:
    monkeypatch.setattr(cell_run, "FEW", 2)
    [cell] = run_campaign(
        cells_for(select(["release_release_route"]), ["baseline"]), Options(Plan(("verify",)), 0.001), Heard()
    ).cells
    assert cell.verify is not None
    assert (cell.verdict, cell.verify.executions) == ("unknown", 2)


@pytest.mark.usefixtures("leaping")
def test_the_answers_of_an_ablation_are_those_that_there_is_time_for() -> None:
    found = ablation.ablate(load_protocol("baseline"), select(["pairs/route_vs_route"]), 1e-9, Stop())
    verdicts = {str(answer.change): answer.verdict for answer in found.answers}
    assert verdicts == {str(c): a.verdict for c, a in answers("baseline", "pairs/route_vs_route").items()}
    assert ablation.OPEN not in verdicts.values()


class Locked(rb.State):
    x = rb.shared(0)
    ready = rb.shared(False, atomic=True)

    def __init__(self) -> None:
        self.a, self.b = rb.Lock("a"), rb.Lock("b")


def forth(s: Locked) -> None:
    with s.a, s.b:
        s.x += 1
    s.ready = True


def back(s: Locked) -> None:
    # Both orders, and never at once: only a proof can say so.
    rb.wait_until(lambda: s.ready)
    with s.b, s.a:
        s.x += 1


@pytest.mark.usefixtures("leaping")
def test_what_hammering_predicts_is_refuted_though_the_time_is_up() -> None:
    program = rb.Program("handed_over", Locked, {"forth": forth, "back": back})
    hammered = modes.stress(program, seconds=0.001)
    assert hammered.executions >= FEWEST_COLLISIONS
    assert (hammered.verdict, hammered.findings) == (rb.Verdict.CLEAN, ())


def seconds_of(fake: Engine, mode: str) -> list[float]:
    return [how["seconds"] for asked, how in fake.calls if asked == mode]


class Slow:
    """An engine whose proofs take so long, by a clock that moves only by that."""

    def __init__(self, monkeypatch: Patch, took: list[float]) -> None:
        self.now, self._took = 0.0, iter(took)
        monkeypatch.setattr(runner, "time", self)
        monkeypatch.setattr(cell_run, "perf_counter", self.perf_counter)
        monkeypatch.setattr(runner, "Pool", Here)
        self.fake = Engine(verify=self.verify, stress=self.stress)
        monkeypatch.setattr(cell_run, "modes", self.fake)

    def perf_counter(self) -> float:
        return self.now

    monotonic = perf_counter

    def verify(self, **how: Any) -> Any:
        self.now += next(self._took)
        return result(complete=True, executions=2)

    def stress(self, seconds: float, **how: Any) -> Any:
        self.now += seconds
        return result(executions=100, seconds=seconds)


def test_a_cell_hammers_as_long_whatever_came_before_it(tmp_path: Path, monkeypatch: Patch) -> None:
    protocols = ["baseline", "domain_lock", "new_vgic", "no_rank_lock"]
    slow = Slow(monkeypatch, [0.0, 100.0, 0.0, 5.0])
    run_campaign(cells_for([scenario(tmp_path)], protocols), Options(seconds=40.0), Heard())
    hammered = seconds_of(slow.fake, "stress")
    # Ten each, a tenth of which is kept for reproducing; a long proof costs half of its own cell's.
    assert hammered == pytest.approx([9.0, 4.0, 9.0, 4.0])


def test_a_proof_has_what_the_hammer_does_not_need(tmp_path: Path, monkeypatch: Patch) -> None:
    slow = Slow(monkeypatch, [0.0])
    run_campaign(cells_for([scenario(tmp_path)], ["baseline"]), Options(seconds=40.0), Heard())
    [(_, how)] = [call for call in slow.fake.calls if call[0] == "verify"]
    assert (how["seconds"], how["least"]) == (20.0, budget.FEW)


@pytest.mark.parametrize(
    ("executions", "failures", "verdict"),
    [
        (0, 0, "unknown"),
        (FEWEST_COLLISIONS - 1, 0, "unknown"),
        (FEWEST_COLLISIONS, 0, "as_expected"),
        (1, 1, "as_expected"),
    ],
)
def test_too_few_collisions_are_no_answer(executions: int, failures: int, verdict: str) -> None:
    found = ("mapping.corrupted",) if failures else ()
    stress = ModeResult("stress", executions, failures)
    assert Cell("s", "p", found, found=found, stress=stress).judged().verdict == verdict
    proof = ModeResult("verify", 4, complete=True)
    assert Cell("s", "p", found, found=found, stress=stress, verify=proof).judged().verdict == "as_expected"
