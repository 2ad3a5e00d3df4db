"""Merging what visits tell, from messages written by hand."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from racebench.campaign.cell import Plan
from racebench.campaign.merge import Merger
from racebench.campaign.results import read_finding, read_journal, read_run
from racebench.errors import UsageError

Patch = pytest.MonkeyPatch
STUB: dict[str, Any] = {
    "scenario": "s", "protocol": "p", "expected": ["mapping.corrupted"], "allowed": [], "found": [],
    "verdict": "unknown", "stress": None, "verify": None, "explore": None, "settles": [], "findings": [],
}  # fmt: skip
PROVED = {"complete": True, "executions": 4, "preemption_bound": None, "done": True, "seconds": 0.1}


def stress(collisions: int, failures: int = 0, first: float | None = None) -> dict[str, Any]:
    return {
        "collisions": collisions, "failures": failures, "first_failure_s": first, "seconds": 1.0,
        "miss_bound": None,
    }  # fmt: skip


def finding(rule: str = "mapping.corrupted", schedule: int = 0, **seen: int) -> dict[str, Any]:
    return {
        "rule": rule, "signature": f"{rule}: x", "summary": "it happened", "scenario": "s", "protocol": "p",
        "found_by": {"mode": "stress", "strategy": "", "seed": 1, "after": 3}, "threads": ["a"],
        "schedule": [["a", "acquire", "l"]] * schedule, "evidence": {}, "count": 1, "seen": seen,
    }  # fmt: skip


def over(seen: int = 0, **how: Any) -> dict[str, Any]:
    counts = {"mapping.corrupted: x": {"stress": seen}} if seen else {}
    return {"visit": {**STUB, **how}, "seen": counts}


def test_visits_of_one_cell_are_one_cell() -> None:
    merger = Merger(None, Plan())
    for visit in ("1", "2"):
        merger.hear(visit, {"begin": STUB})
        merger.hear(visit, {"finding": finding(stress=1)})
    merger.hear("1", over(5, verify=PROVED, stress=stress(100, 5, 0.5)))
    merger.hear("2", over(7, stress=stress(50, 7, 0.1)))
    [cell] = merger.finish(False)["cells"]
    assert (cell["verdict"], cell["found"]) == ("as_expected", ["mapping.corrupted"])
    assert cell["verify"] == PROVED
    assert (cell["stress"]["collisions"], cell["stress"]["failures"]) == (150, 12)
    assert cell["stress"]["first_failure_s"] == 0.5
    [(_, merged)] = merger.findings()
    assert (merged["count"], merged["seen"]) == (12, {"stress": 12})


def test_explorations_of_one_cell_add_up() -> None:
    merger = Merger(None, Plan())
    explore = {
        "strategy": "pct", "executions": 10, "failures": 0, "first_failure": None, "seconds": 1.0,
        "strategies": {"pct": {}},
    }  # fmt: skip
    test = {**STUB, "expected": [], "proof": False}
    merger.hear("1", {"begin": test})
    merger.hear("1", {"visit": {**test, "explore": explore}, "seen": {}})
    failed = {**explore, "failures": 2, "first_failure": 4}
    merger.hear("2", {"visit": {**test, "explore": failed}, "seen": {}})
    [cell] = merger.finish(False)["cells"]
    assert cell["explore"] == {
        "strategy": "pct", "executions": 20, "failures": 2, "first_failure": 14, "seconds": 2.0,
        "strategies": None,
    }  # fmt: skip
    assert cell["verdict"] == "as_expected"


def test_a_visit_whose_beginning_was_not_heard_counts_once() -> None:
    merger = Merger(None, Plan())
    merger.hear("1", over(verify=PROVED, stress=stress(100)))
    [cell] = merger.finish(False)["cells"]
    assert (cell["stress"]["collisions"], cell["verify"]) == (100, PROVED)


def test_a_shorter_schedule_takes_the_place_of_a_longer_one_or_none() -> None:
    merger = Merger(None, Plan())
    for length in (0, 5, 3, 4, 0):
        merger.hear("1", {"finding": finding(schedule=length)})
    [(_, merged)] = merger.findings()
    assert len(merged["schedule"]) == 3


def test_a_lost_visit_leaves_what_it_told_and_no_verdict(tmp_path: Path) -> None:
    merger = Merger(tmp_path / "out", Plan())
    merger.hear("1", {"begin": STUB})
    merger.hear("1", {"finding": finding(stress=1)})
    merger.lost("1", "s", "p", "killed")
    assert [path for path, _ in merger.of_visit("1")] == [str(tmp_path / "out/findings/0001.json")]
    merger.finish(False)
    [cell] = read_run(tmp_path / "out")["cells"]
    assert (cell["verdict"], cell["found"], cell["error"]) == ("unknown", ["mapping.corrupted"], "killed")


def test_what_nobody_expected_counts_whoever_is_lost() -> None:
    merger = Merger(None, Plan())
    merger.hear("1", {"begin": STUB})
    merger.hear("1", {"finding": finding("deadlock.cycle", stress=1)})
    merger.lost("1", "s", "p", "killed")
    assert merger.finish(False)["cells"][0]["verdict"] == "unexpected"


def test_a_finding_is_stored_before_its_visit_ends(tmp_path: Path) -> None:
    merger = Merger(tmp_path / "out", Plan())
    merger.hear("1", {"begin": STUB})
    merger.hear("1", {"finding": finding(schedule=2, stress=1)})
    assert read_finding(tmp_path / "out/findings/0001.json")["rule"] == "mapping.corrupted"
    assert list(read_journal(tmp_path / "out").findings.values()) == ["findings/0001.json"]


def test_the_journal_grows_with_what_is_new_not_with_rounds(tmp_path: Path) -> None:
    merger = Merger(tmp_path / "out", Plan())
    merger.hear("1", {"begin": STUB})
    merger.hear("1", {"finding": finding(schedule=2, stress=1)})
    merger.hear("1", over(1, verify=PROVED, stress=stress(100)))
    for n in range(1000):
        merger.hear(str(n), over(1, stress=stress(100)))
    merger.finish(False)
    lines = (tmp_path / "out/journal.jsonl").read_text().splitlines()
    assert len(lines) < 40
    assert read_finding(tmp_path / "out/findings/0001.json")["count"] == 1001
    assert read_run(tmp_path / "out")["cells"][0]["stress"]["collisions"] == 100_100


def test_a_cell_without_its_proof_is_not_done(tmp_path: Path) -> None:
    merger = Merger(tmp_path / "out", Plan())
    merger.hear("2", {"begin": STUB})
    merger.hear("2", over(stress=stress(100)))
    assert not read_journal(tmp_path / "out").cells
    merger.hear("1", over(verify=PROVED, stress=stress(100)))
    assert read_journal(tmp_path / "out").cells["s", "p"]["verdict"] == "missed"


def test_a_full_disk_is_said_and_nothing_is_lost_in_memory(tmp_path: Path, monkeypatch: Patch) -> None:
    merger = Merger(tmp_path / "out", Plan())
    merger.hear("1", {"begin": STUB})
    merger.hear("1", {"finding": finding(schedule=2, stress=1)})

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        merger.hear("1", {"finding": finding("deadlock.cycle", schedule=2, stress=1)})
    assert merger.trouble.startswith(f"{tmp_path / 'out'}: cannot be written: No space left on device. ")
    assert len(read_journal(tmp_path / "out").findings) == 1
    merger.finish(False)
    assert len(list((tmp_path / "out/findings").glob("*.json"))) == 2


def test_a_folder_with_a_run_is_refused(tmp_path: Path) -> None:
    Merger(tmp_path, Plan()).finish(False)
    with pytest.raises(UsageError, match="already holds a run"):
        Merger(tmp_path, Plan())
