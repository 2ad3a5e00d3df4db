"""The verdict table."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.findings import RULES
from racebench.records import Cell
from racebench.report.facts import done
from racebench.report.tree import Group
from racebench.report.verdicts import code_of, matrix, verdicts

from .samples import ESC, EVIL, a_cell, printed

BROKEN = ["mapping.corrupted", "mapping.double_success"]


def many(**how: Any) -> list[Cell]:
    """A campaign of 3 x 13 cells, the first one as ``how`` says."""
    names = [(s, f"protocol_{i}") for s in ("route", "release", "irq") for i in range(13)]
    first, *others = ({"scenario": scenario, "protocol": protocol} for scenario, protocol in names)
    return [a_cell(**{**first, **how}), *(a_cell(**name) for name in others)]


def shown(cells: list[Cell], width: int = 80) -> str:
    return printed(Group(list(verdicts(cells, {}))), width)


@pytest.mark.parametrize("width", [80, 160])
def test_few_cells_get_a_row_each_with_what_was_done(width: int) -> None:
    stress = {"collisions": 412_000, "failures": 1309, "first_failure_s": 0.003}
    cells = [a_cell(), a_cell(protocol="no_rank_lock", found=BROKEN, expected=BROKEN, stress=stress)]
    words = " ".join(shown(cells, width).replace(": ", " ").split())
    assert "route_vs_route x baseline as expected none" in words
    assert "mapping.corrupted" in words
    assert "stress 412,000" in words
    told = "stress 412,000 collisions, 1,309 failed, first after 3 ms · verify 14 executions, complete"
    assert done(cells[1]) == told


def test_many_cells_get_a_grid_that_fits_80_columns() -> None:
    text = shown(many(found=BROKEN, expected=BROKEN))
    assert "a b c d e f g h i j k l m" in " ".join(text.splitlines()[0].split())
    assert "MC" in text
    assert "M2 mapping.double_success" in text
    assert "38 cells clean, as expected: 15,656,000 collisions, none failed; 38 proved" in " ".join(
        text.split()
    )


@pytest.mark.parametrize(
    ("how", "mark"),
    [
        ({"verdict": "unexpected", "found": ["crash.null_desc"]}, "!CD"),
        ({"verdict": "missed", "expected": ["deadlock.cycle"]}, "?DC"),
        ({"verdict": "unknown"}, "~-"),
    ],
)
def test_what_is_not_as_expected_stands_first_and_is_marked(how: dict[str, Any], mark: str) -> None:
    text = shown(many(**how))
    assert text.startswith("not as expected")
    assert mark in text


def test_a_cell_that_was_not_run_is_empty() -> None:
    cells = [c for c in many() if c.name != ("irq", "protocol_3")]
    assert "irq" in shown(cells)


def test_every_rule_has_a_code_of_its_own() -> None:
    assert len({code_of(rule) for rule in RULES}) == len(RULES)
    assert code_of("account.lost") == "AL"


@pytest.mark.parametrize(
    ("verify", "told"),
    [
        ({"complete": True, "executions": 4}, "verify 4 executions, complete"),
        (
            {"complete": False, "executions": 4, "done": 0.4},
            "verify 4 executions, about 40% of all schedules",
        ),
        ({"complete": False, "executions": 4}, "verify 4 executions, not complete"),
        (
            {"complete": False, "executions": 4, "preemption_bound": 2, "done": 1.0},
            "verify 4 executions, all with up to 2 preemptions",
        ),
    ],
)
def test_how_far_a_proof_went(verify: dict[str, Any], told: str) -> None:
    assert done(a_cell(stress=None, verify=verify)) == told


def test_nothing_in_a_file_is_obeyed() -> None:
    evil = {"scenario": EVIL, "protocol": EVIL, "found": [EVIL], "verdict": EVIL, "error": EVIL}
    assert ESC not in shown([a_cell(**evil)])
    assert ESC not in shown(many(**evil))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_protocols_that_do_not_fit_go_below(width: int) -> None:
    cells = [a_cell(s, f"p{i}", verdict="unexpected", found=["data_race"]) for s in "abc" for i in range(20)]
    assert printed(matrix(cells, {}), width).count("!DR") == len(cells)


def test_cells_of_which_the_same_is_to_be_said_are_told_together() -> None:
    busy = {"returned": {"a: release virq=40": {"-EBUSY": 4}}}
    names = [f"p{i}" for i in range(13)]
    cells = [
        a_cell("release_vs_isenabler", protocol=name, found=[], expected=[], verdict="as_expected",
               verify={"complete": True, "executions": 4, "seconds": 0.1, **(busy if i < 3 else {})},
               instead="racebench verify x" if i < 3 else "")
        for i, name in enumerate(names)
    ]  # fmt: skip
    text = shown(cells, 100)
    assert (
        text.count("release_guest_irq returned -EBUSY in every execution") + text.count("release virq") == 1
    )
    assert "under p0, p1, p2" in text
    assert text.count("try: racebench verify x") == 1
