"""What a run looks like, whole: in terminals of two widths, and in a mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from racebench.campaign.claims import ClaimVerdict
from racebench.report.formats.markdown import render
from racebench.report.run import document
from racebench.report.stored_run import Stored
from racebench.report.terminal import show_run

from .samples import STEPS, cell, console, finding, stored

GOLDEN = Path(__file__).parent / "golden"
CLAIMS = [
    ClaimVerdict("K1", "the lock is not needed", "the patch", "refuted", ("route: data_race",)),
    ClaimVerdict("K2", "it is", "a reviewer", "not tested", ()),
]
ROW = {"virq": 40, "pirq": None, "status": []}
LOST = finding(
    rule="mapping.corrupted",
    signature="mapping.corrupted",
    protocol="no_rank_lock",
    summary="pIRQ 64 is lost",
    replay_args=["--protocol", "my files/mine.py:Mine"],
    evidence={
        "steps": STEPS,
        "before": {"mapping": [ROW], "vcpus": [{"vcpu": 0}], "n": 0},
        "after": {"mapping": [{**ROW, "pirq": 65}], "vcpus": [{"vcpu": 0}], "n": 1},
        "results": {"toolstack": "[0]", "vcpu0": "[0]"},
        "sources": {"route": "gic.c, gic_route_irq_to_guest @ baf2950213"},
        "preemptions": 1,
        "fewest": True,
        "replays": [10, 10],
        "needs": {"toolstack": ["release virq=40"], "vcpu0": []},
        "passing": {"at": 3, "schedule": [], "failing": ["a", "read", "x"], "passing": ["b", "write", "x"]},
    },
)


def few() -> Stored:
    broken = cell("release_vs_isenabler", found=["deadlock.cycle"], verdict="unexpected")
    missed = cell("release_vs_isenabler", "no_rank_lock", expected=["data_race"], verdict="missed")
    return stored(broken, missed, cell(), findings=[finding(), LOST], claims=CLAIMS)


def many() -> Stored:
    cells = [cell(s, f"protocol_{i}") for s in ("route", "release", "irq") for i in range(13)]
    cells[0] |= {"verdict": "unexpected", "found": ["crash.null_desc"]}
    stress = {"collisions": 412_000, "failures": 1309, "first_failure_s": 0.003}
    cells[1] |= {"found": ["data_race"], "expected": ["data_race"], "stress": stress}
    return stored(*cells[:-1], findings=[], interrupted=True)


def terminal(run: Stored, width: int) -> str:
    screen = console(width)
    show_run(screen, document(run))
    return str(screen.file.getvalue())  # type: ignore[attr-defined]


def drawn(name: str) -> str:
    """What belongs into the file ``name``."""
    run = few() if name.startswith("few") else many()
    return render(run, 72) if name.endswith(".md") else terminal(run, 160 if "160" in name else 80)


NAMES = ("few-80.txt", "few-160.txt", "few.md", "many-80.txt", "many.md")


@pytest.mark.parametrize("name", NAMES)
def test_it_looks_as_it_did(name: str) -> None:
    """If this is red after a change that is meant: ``python -m tests.report.test_golden``, and look."""
    assert drawn(name) == (GOLDEN / name).read_text(encoding="utf-8")


if __name__ == "__main__":
    for name in NAMES:
        (GOLDEN / name).write_text(drawn(name), encoding="utf-8")
