"""Claims are judged from cells, and from nothing else."""

from __future__ import annotations

from dataclasses import replace

from racebench.campaign import claims
from racebench.records import Cell, ModeResult

BROKEN = {
    ("route_vs_route", "no_rank_lock"): ["mapping.corrupted", "mapping.double_success"],
    ("route_vs_isenabler", "no_rank_lock"): ["mapping.lost_enable"],
    ("release_vs_isenabler", "baseline"): ["deadlock.cycle"],
    ("irq_vs_icenabler", "baseline"): ["deadlock.cycle"],
    ("release_vs_isenabler", "pending_irq_lock_nested"): ["deadlock.cycle"],
    ("late_route", "no_rank_lock_guard"): ["mapping.corrupted"],
    ("guard_vs_unpause", "no_rank_lock_guard"): ["mapping.lost_enable"],
    ("release_vs_isenabler", "domain_lock"): ["crash.null_desc"],
    ("release_vs_isenabler", "pending_irq_lock_no_recheck"): ["crash.null_handler"],
}


def cell(scenario: str, protocol: str, found: list[str], proved: bool = True) -> Cell:
    verify, stress = ModeResult("verify", 3, complete=proved), ModeResult("stress", 1000, len(found))
    return Cell(scenario, protocol, found=tuple(found), verify=verify, stress=stress)


def needed() -> set[tuple[str, str]]:
    return {(p.scenario, p.protocol) for claim in claims.CLAIMS for p in claim.points}


def run(proved: bool = True) -> list[Cell]:
    return [cell(*name, BROKEN.get(name, []), proved) for name in sorted(needed())]


def verdicts(cells: list[Cell]) -> dict[str, str]:
    return {v.id: v.verdict for v in claims.judge(cells)}


def test_what_the_evidence_says_of_the_thread() -> None:
    assert verdicts(run()) == {
        "K1": "refuted",
        "K2": "holds",
        "K3": "holds",
        "K4": "qualified",
        "K5": "refuted",
        "K6": "qualified",
        "K7": "qualified",
        "K8": "qualified",
        "K9": "qualified",
    }


def test_without_cells_nothing_is_tested() -> None:
    assert set(verdicts([]).values()) == {"not tested"}


def test_without_a_proof_absence_is_open() -> None:
    said = verdicts(run(proved=False))
    assert said["K1"] == said["K5"] == "refuted"
    assert said["K2"] == said["K3"] == said["K4"] == "open"


def test_a_verdict_follows_its_cells() -> None:
    said = verdicts([replace(c, found=()) if c.protocol == "no_rank_lock" else c for c in run()])
    assert said["K1"] == "holds"
    assert said["K2"] == "refuted"


def test_evidence_names_cells_and_rules() -> None:
    [k1] = [v for v in claims.judge(run()) if v.id == "K1"]
    assert k1.evidence[0] == "route_vs_route under no_rank_lock: mapping.corrupted, mapping.double_success"


def test_every_claim_rests_on_cells_that_exist() -> None:
    from racebench.scenario.selection import bundled

    there = {(s.name, p) for s in bundled() for p in s.protocols()}
    assert needed() <= there
