"""Shards, rounds, pace, and one visit with the engine played by a fake."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from racebench import vgic
from racebench.campaign import cell_run as cell_module
from racebench.campaign import soak
from racebench.campaign.cell import Plan
from racebench.campaign.pool import Job
from racebench.campaign.share import Share
from racebench.campaign.soak import MOST_VISITS, Pace, Visitor, deadline_s, rounds_for
from racebench.scenario.selection import Target
from racebench.vgic.drawing import op

from ..fakes import STEPS, Engine, Here, finding, result, target

Patch = pytest.MonkeyPatch
FIRST, LATER = Share(0, 2, 0, 3), Share(1, 2, 0, 3)


class There:
    """A target's place that is the target itself."""

    def __init__(self, target: Target) -> None:
        self._target = target

    of = classmethod(lambda cls, target: cls(target))

    def target(self) -> Target:
        return self._target


def visitor(monkeypatch: Patch, **answers: Any) -> tuple[Visitor, Engine]:
    fake = Engine(**answers)
    monkeypatch.setattr(cell_module, "modes", fake)
    monkeypatch.setattr(soak, "Pool", Here)
    # What draws has no file to be loaded from again.
    monkeypatch.setattr(soak, "Place", There)
    return Visitor(Plan(seed=7)), fake


def test_no_two_visits_have_one_seed() -> None:
    shares = [Share(shard, 8, round_, 50) for shard in range(8) for round_ in range(50)]
    assert len({share.seed(0) for share in shares} | {share.seed(1) for share in shares}) == 2 * len(shares)
    assert FIRST.seed(7) == 7
    assert LATER.seed(7) == LATER.seed(7)


def test_names_of_shares() -> None:
    assert str(Share()) == ""
    assert str(Share(0, 4)) == "[shard 1/4]"
    assert str(Share(0, 1, 1, 9)) == "[round 2/9]"
    assert str(Share(3, 4, 8, 9)) == "[shard 4/4 round 9/9]"


def test_rounds_fill_the_time_and_stay_few() -> None:
    assert rounds_for(10, 2.0, 600.0, workers=2) == 60
    assert rounds_for(10, 2.0, 1.0, workers=1) == 1
    assert rounds_for(10, 2.0, 12 * 3600.0, workers=64) == MOST_VISITS // 10
    assert rounds_for(2 * MOST_VISITS, 2.0, 3600.0, workers=1) == 1


def test_pace_makes_up_for_lost_time() -> None:
    now = 0.0
    pace = Pace(100.0, 100.0, 10, clock=lambda: now)
    assert pace.next() == 10.0
    now = 15.0  # a proof took five seconds more than the visit had
    assert pace.next() == 5.0
    now = 50.0
    assert pace.next() == 2.5  # never less than a quarter
    now = 101.0
    assert pace.next() == 0.0  # but the time is up


def test_who_replaces_a_crashed_worker_takes_up_its_pace() -> None:
    now = 1000.0
    pace = Pace(100.0, 40.0, 10, clock=lambda: now)
    assert pace.next() == 10.0


def test_the_first_visit_proves_and_the_others_hammer(tmp_path: Path, monkeypatch: Patch) -> None:
    runs, fake = visitor(
        monkeypatch, verify=result(complete=True), stress=[result(executions=30), result(executions=40)]
    )
    messages: list[dict[str, Any]] = []
    here = target(tmp_path)
    assert runs.visit(here, FIRST, 0.0, messages.append).passed
    assert runs.visit(here, LATER, 0.0, messages.append).passed
    assert [mode for mode, _ in fake.calls] == ["verify", "stress", "stress"]
    seeds = [how["seed"] for mode, how in fake.calls if mode == "stress"]
    assert seeds == [7, LATER.seed(7)]
    assert [m["done"]["stress"]["collisions"] for m in messages] == [30, 40]


def test_a_visit_that_only_hammers_need_not_meet_what_is_expected(tmp_path: Path, monkeypatch: Patch) -> None:
    runs, _ = visitor(monkeypatch, stress=result())
    assert runs.visit(target(tmp_path, "no_rank_lock"), LATER, 0.0, lambda _: None).passed


def test_what_the_proof_must_find_is_missed_without_it(tmp_path: Path, monkeypatch: Patch) -> None:
    runs, _ = visitor(monkeypatch, verify=result(complete=True), stress=result())
    visit = runs.visit(target(tmp_path, "no_rank_lock"), FIRST, 0.0, lambda _: None)
    assert visit.cell.verdict == "missed"


def test_what_was_told_is_told_once_and_counted_each_time(tmp_path: Path, monkeypatch: Patch) -> None:
    odd = finding("deadlock.cycle", count=5)
    runs, fake = visitor(
        monkeypatch, stress=[result(odd), result(odd)], reproduce=finding("deadlock.cycle", schedule=STEPS)
    )
    messages: list[dict[str, Any]] = []
    here = target(tmp_path)
    first = runs.visit(here, LATER, 0.0, messages.append)
    second = runs.visit(here, Share(1, 2, 1, 3), 0.0, messages.append)
    assert [v.cell.unexpected for v in (first, second)] == [["deadlock.cycle"]] * 2
    assert (first.known, second.known) == ((), (odd.signature,))
    # New, then with its schedule; in the second visit it has one already.
    assert [len(m["found"]["schedule"]) for m in messages if "found" in m] == [0, len(STEPS)]
    assert [m["seen"] for m in messages if "done" in m] == [{odd.signature: {"stress": 5}}] * 2
    assert [mode for mode, _ in fake.calls].count("reproduce") == 1


def test_evidence_is_told_and_not_kept(tmp_path: Path, monkeypatch: Patch) -> None:
    long = {"message": "-" * 100_000}
    odd = finding("deadlock.cycle", schedule=STEPS, evidence=long)
    shorter = finding("deadlock.cycle", schedule=STEPS[:2], evidence=long)
    runs, _ = visitor(monkeypatch, stress=[result(odd), result(odd), result(shorter)])
    messages: list[dict[str, Any]] = []
    for round_ in range(3):
        runs.visit(target(tmp_path), Share(1, 2, round_, 3), 0.0, messages.append)
        assert len(pickle.dumps(runs._memory)) < 10_000
    findings = [m["found"] for m in messages if "found" in m]
    assert [len(f["schedule"]) for f in findings] == [3, 2]
    assert all(f["evidence"]["message"] == long["message"] for f in findings)


def test_ctrl_c_ends_a_visit_with_what_is_known(tmp_path: Path, monkeypatch: Patch) -> None:
    runs, _ = visitor(monkeypatch, verify=KeyboardInterrupt(), stress=result())
    visit = runs.visit(target(tmp_path), FIRST, 0.0, lambda _: None)
    assert visit.cell.verify is None
    assert visit.cell.verdict == "unknown"


def test_the_deadline_leaves_room_for_the_proof() -> None:
    assert deadline_s(FIRST, 2.0) > deadline_s(LATER, 2.0) > 3 * 2.0


def test_a_visit_of_threads_that_draw_proves_nothing(tmp_path: Path, monkeypatch: Patch) -> None:
    runs, fake = visitor(monkeypatch, stress=result())
    drawn = target(tmp_path)
    mix = vgic.Mix(1, {"a": ((op("release", virq=40), 1),)})
    drawn = drawn._replace(scenario=drawn.scenario._replace(mix=mix))
    messages: list[dict[str, Any]] = []
    assert runs.visit(drawn, FIRST, 0.0, messages.append).passed
    assert [mode for mode, _ in fake.calls] == ["stress"]
    assert messages[-1]["done"]["hammered"]


@pytest.mark.parametrize("limit_s", [None, 10.0])
def test_a_visit_is_over_before_an_outer_watchdog_by_the_clock_of_that(
    tmp_path: Path, monkeypatch: Patch, limit_s: float | None
) -> None:
    """Such a watchdog counts also the seconds in which the machine is too busy to let the visit run."""
    jobs: list[Job] = []

    class Watched(Here):
        def run(self, employer: Any) -> None:
            def next_job(free: int, real: Any = employer.next_job) -> Job | None:
                job: Job | None = real(free)
                jobs.extend([] if job is None else [job])
                return job

            employer.next_job = next_job
            super().run(employer)

    runs, _ = visitor(monkeypatch, stress=result())
    monkeypatch.setattr(soak, "Pool", Watched)
    runs.visit(target(tmp_path, "no_rank_lock"), LATER, 0.0, lambda _: None, limit_s)
    [job] = jobs
    assert job.by_clock is (limit_s is not None)
    assert job.limit_s is not None
    assert limit_s is None or job.limit_s + job.grace_s < limit_s
