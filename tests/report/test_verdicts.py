"""The verdict table."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.findings.rules import rules
from racebench.records import Cell
from racebench.report.facts import done
from racebench.report.rules import clause, family, word
from racebench.report.tree import Group, Look
from racebench.report.verdicts import matrix, verdicts

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
    text = "stress 412,000 collisions, 1,309 failed, first after 3 ms · verify 14 executions, complete"
    assert done(cells[1]) == text


def test_many_cells_get_a_grid_that_fits_80_columns() -> None:
    text = shown(many(found=BROKEN, expected=BROKEN))
    assert "a b c d e f g h i j k l m" in " ".join(text.splitlines()[0].split())
    assert "# mapping" in text
    assert "# double: mapping.double_success" in text
    assert (
        "38 cells clean, as expected: 15,656,000 collisions, none failed; every schedule of 38 was searched"
        in " ".join(text.split())
    )


@pytest.mark.parametrize(
    ("how", "mark"),
    [
        ({"verdict": "unexpected", "found": ["crash.null_desc"]}, "!x desc"),
        ({"verdict": "missed", "expected": ["deadlock.cycle"]}, "? o deadlock"),
        ({"verdict": "unknown"}, "…"),
    ],
)
def test_what_is_not_as_expected_stands_first_and_is_marked(how: dict[str, Any], mark: str) -> None:
    text = shown(many(**how))
    assert text.startswith("not as expected")
    assert mark in text


def test_a_cell_that_was_not_run_is_empty() -> None:
    cells = [c for c in many() if c.name != ("irq", "protocol_3")]
    assert "irq" in shown(cells)


def test_every_rule_has_words_of_its_own() -> None:
    known = rules()
    assert len({word(rule) for rule in known}) == len({clause(rule) for rule in known}) == len(known)
    assert (word("account.lost_update"), clause("account.lost")) == (
        "# lost update",
        "account.lost is broken",
    )
    assert [family(rule) for rule in ("crash.x", "stall.x", "data_race")] == [
        Look.CRASH, Look.DEADLOCK, Look.PREDICTION,
    ]  # fmt: skip


def test_what_is_proved_unreachable_or_vacuous_is_grey_and_in_brackets() -> None:
    rule = "lock_order.inversion"
    idle = {"complete": True, "executions": 4, "returned": {"a: release virq=40": {"-EBUSY": 4}}}
    cells = [a_cell(found=[rule], expected=[rule]), a_cell("b", stress=None, verify=idle)]
    (_, [first]), (_, [second]) = matrix(cells, {}, {(*cells[0].name, rule)}).rows
    assert [(s.text, s.look) for s in (*first.text, *second.text)] == [  # type: ignore[union-attr]
        ("(~ order)", Look.DIM), ("(-)", Look.DIM),
    ]  # fmt: skip


def test_names_stand_over_the_columns_where_there_is_room() -> None:
    cells = many(found=["crash.null_desc"], expected=["crash.null_desc"])
    assert "protocol_" not in printed(matrix(cells, {}), 60).partition("─")[0]
    assert printed(matrix(cells, {}), 100).count("protocol_") == 13
    alone = printed(matrix([a_cell(found=BROKEN, expected=BROKEN), a_cell("b")], {}), 80)
    assert "route_vs_route  # mapping, # double" in alone


def test_rows_with_a_tag_in_common_stand_together_between_rules() -> None:
    names = [("a", "y"), ("b", "x"), ("c", "y"), ("d", "x"), ("e", "x"), ("f", "x"), ("g", "x")]
    cells = [a_cell(name, p, tags=["all", tag]) for name, tag in names for p in ("p", "q")]
    lines = [line.split(" ")[0] for line in printed(matrix(cells, {}), 80).splitlines()]
    rule = lines[1]
    assert lines[1:] == [rule, "@y", "a", "c", rule, "@x", "b", "d", "e", "f", rule, "g"]


@pytest.mark.parametrize(
    ("verify", "text"),
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
def test_how_far_a_proof_went(verify: dict[str, Any], text: str) -> None:
    assert done(a_cell(stress=None, verify=verify)) == text


def test_nothing_in_a_file_is_obeyed() -> None:
    evil = {"scenario": EVIL, "protocol": EVIL, "found": [EVIL], "verdict": EVIL, "error": EVIL}
    assert ESC not in shown([a_cell(**evil)])
    assert ESC not in shown(many(**evil))


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_protocols_that_do_not_fit_go_below(width: int) -> None:
    cells = [a_cell(s, f"p{i}", verdict="unexpected", found=["data_race"]) for s in "abc" for i in range(20)]
    assert printed(matrix(cells, {}), width).count("!~ race") == len(cells)


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
