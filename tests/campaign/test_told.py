"""The verdict of a cell, and records that survive being stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from racebench.campaign.told import Merged, finding_from_record, finding_record, judge
from racebench.findings import CellVerdict

from ..fakes import STEPS, cell, finding

OK, UNEXPECTED, MISSED, UNKNOWN = (
    CellVerdict.AS_EXPECTED,
    CellVerdict.UNEXPECTED,
    CellVerdict.MISSED,
    CellVerdict.UNKNOWN,
)


@pytest.mark.parametrize(
    ("expected", "allowed", "found", "proved", "verdict"),
    [
        ("", "", "", True, OK),
        ("", "", "", None, OK),
        ("", "", "", False, UNKNOWN),
        ("x", "", "x", True, OK),
        ("x", "", "x", None, OK),
        ("x", "", "x", False, UNKNOWN),
        ("x", "", "", True, MISSED),
        ("x", "", "", False, UNKNOWN),
        ("x", "", "", None, UNKNOWN),
        ("", "", "x", True, UNEXPECTED),
        ("", "", "x", False, UNEXPECTED),
        ("", "x", "x", True, OK),
        ("", "x", "", True, OK),
        ("y", "x", "x", True, MISSED),
        ("y", "", "xy", None, UNEXPECTED),
    ],
)
def test_verdicts(expected: str, allowed: str, found: str, proved: bool | None, verdict: CellVerdict) -> None:
    assert judge(expected, allowed, found, proved) is verdict


def test_what_was_cut_off_is_unknown_unless_it_was_proved() -> None:
    assert judge("", "", "", None, cut_off=True) is UNKNOWN
    assert judge("", "", "", True, cut_off=True) is OK
    assert judge("", "", "x", None, cut_off=True) is UNEXPECTED


def test_a_finding_comes_back_from_its_record(tmp_path: Path) -> None:
    seen = finding(schedule=STEPS, count=7, mode="stress", strategy="free", seed=3, after=9)
    record = finding_record(cell(tmp_path), ["a", "b"], Merged(seen, {"stress": 7}))
    assert finding_from_record(record) == seen
    assert record["count"] == 7
    assert record["source"].startswith("schema = 1")
    assert record["replay_args"] == []
