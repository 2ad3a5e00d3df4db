"""One protocol held against another: which findings are the same, and what that comes to."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.findings import Finding
from racebench.records import Cell, FindingRecord, ModeResult
from racebench.report.regressions import against, sections
from racebench.report.terminal import show

from .samples import console

PROOF = ModeResult("verify", 4, seconds=0.1, complete=True, done=1.0)
LINEAGE = {"protocol": "Mine", "parent": "old", "own": ["helper"], "replaced": ["release", "route"]}
RING = "deadlock.cycle: desc wanted in enable, held in {} -> rank wanted in {}, held in write"


def cell(protocol: str, scenario: str = "s", **how: Any) -> Cell:
    return Cell(scenario, protocol, **{"proof": True, "verify": PROOF, **how})


def found(protocol: str, signature: str, scenario: str = "s") -> tuple[str, FindingRecord]:
    rule = signature.partition(":")[0].partition(" in ")[0]
    return "findings/0001.json", FindingRecord(Finding(rule, signature, "so"), scenario, protocol)


def held(mine: list[str], theirs: list[str], **how: Any) -> Any:
    cells = [cell("Mine", **how.get("is_", {})), cell("old", **how.get("was", {}))]
    findings = [*(found("Mine", s) for s in mine), *(found("old", s) for s in theirs)]
    side = cells, findings, how.get("options", {})
    return against({**LINEAGE, **how.get("lineage", {})}, side, side)


def listed(one: Any, key: str) -> list[str]:
    return [seen["signature"] for seen in one[key]]


def test_the_same_by_name_is_neither_new_nor_fixed() -> None:
    same = "mapping.corrupted: desc.action, p.desc"
    one = held([same], [same])
    assert (one["new"], one["fixed"], one["both"], one["regression"]) == ([], [], 1, False)


def test_what_only_one_has_is_new_or_fixed() -> None:
    one = held(["data_race: desc.handler"], ["mapping.corrupted: p.desc"])
    assert listed(one, "new") == ["data_race: desc.handler"]
    assert listed(one, "fixed") == ["mapping.corrupted: p.desc"]
    assert (one["both"], one["regression"]) == (0, True)


def test_what_is_seen_in_another_scenario_is_new_there() -> None:
    race = "data_race: desc.handler"
    cells = [cell("Mine"), cell("old"), cell("Mine", "t"), cell("old", "t")]
    side = cells, [found("Mine", race, "s"), found("old", race, "t")], {}
    one = against(LINEAGE, side, side)
    assert [seen["cells"][0]["scenario"] for key in ("new", "fixed") for seen in one[key]] == ["s", "t"]


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ("crash.null_desc in helper", "crash.null_desc in release", True),
        # One that the subclass left alone still runs under its own name.
        ("crash.null_desc in helper", "crash.null_desc in enable", False),
        # A function that both have is no new name for another one.
        ("crash.null_desc in route", "crash.null_desc in release", False),
        ("crash.null_desc in helper", "crash.null_handler in release", False),
        ("lock.leaked: rank taken in helper", "lock.leaked: rank taken in route", True),
        ("lock.leaked: desc taken in helper", "lock.leaked: rank taken in route", False),
        # Where it is no place, a word is no name.
        ("data_race: helper", "data_race: release", False),
        (RING.format("helper", "release"), RING.format("route", "release"), True),
        (RING.format("helper", "helper"), RING.format("route", "release"), True),
        (RING.format("helper", "enable"), RING.format("route", "release"), False),
    ],
)
def test_a_function_of_the_subclass_stands_for_one_that_it_replaces(
    mine: str, theirs: str, same: bool
) -> None:
    one = held([mine], [theirs])
    assert (one["both"], one["regression"]) == ((1, False) if same else (0, True))
    # Who replaces nothing has renamed nothing.
    assert held([mine], [theirs], lineage={"replaced": []})["regression"]


def test_a_ring_is_the_same_from_any_of_its_edges() -> None:
    theirs = "deadlock.cycle: a wanted in x, held in y -> a wanted in z, held in release"
    mine = "deadlock.cycle: a wanted in z, held in helper -> a wanted in x, held in y"
    assert not held([mine], [theirs])["regression"]
    assert held([mine.replace("z", "q")], [theirs])["regression"]


def test_a_finding_of_the_parent_is_taken_once_the_same_name_first() -> None:
    release, helper = "crash.null_desc in release", "crash.null_desc in helper"
    for order in ([release, helper], [helper, release]):
        one = held(order, [release])
        assert (listed(one, "new"), one["both"]) == ([helper], 1)


UNPROVED = {"verify": ModeResult("verify", 4, done=0.5)}


def test_without_an_answer_nothing_is_fixed_and_it_is_not_nothing_new() -> None:
    one = held([], ["data_race: desc.handler"], is_=UNPROVED)
    assert (one["new"], one["fixed"], one["open"], one["regression"]) == ([], [], ["s"], True)
    screen = console(80)
    show(screen, list(sections([one])))
    assert "nothing new\n" not in screen.file.getvalue()  # type: ignore[attr-defined]


def test_where_the_parent_has_no_answer_that_is_said() -> None:
    one = held([], [], was=UNPROVED)
    assert (one["open"], one["regression"]) == (["s"], False)
    assert held(["data_race: desc.handler"], [], was=UNPROVED)["regression"]


def test_what_is_new_is_shown_first_then_what_is_fixed_then_how_much_is_the_same() -> None:
    same = "mapping.corrupted: p.desc"
    one = held(["data_race: desc.handler", same], ["crash.null_desc in release", same])
    screen = console(80)
    show(screen, list(sections([one], lambda path: f"reports/x/{path}")))
    text = screen.file.getvalue()  # type: ignore[attr-defined]
    lines = ["Mine against old", "new: 1 finding", "data_race: desc.handler", "reports/x/findings/0001.json"]
    lines += ["fixed: 1 finding", "crash.null_desc in release", "both have 1 finding in 1 scenario"]
    places = [text.index(line) for line in lines]
    assert places == sorted(places)


@pytest.mark.parametrize("stored", [None, 3, [3], [{"protocol": "x"}], [{**LINEAGE, "new": 3}]])
def test_what_is_not_as_it_is_written_shows_nothing(stored: Any) -> None:
    assert not list(sections(stored))


def test_a_scenario_that_was_not_run_yet_is_no_answer() -> None:
    rows = [{"scenario": name, "protocol": "Mine"} for name in ("s", "t")]
    one = held([], [], options={"cells": rows})
    assert (one["new"], one["open"], one["regression"]) == ([], ["t"], True)
    assert not held([], [], options={"cells": rows[:1]})["regression"]
    assert not held([], [], options={"cells": "none"})["regression"]


def test_what_a_scenario_shows_that_the_parent_cannot_run_is_new() -> None:
    cells = [cell("Mine"), cell("old"), cell("Mine", "t")]
    side = cells, [found("Mine", "data_race: desc.handler", "t")], {}
    one = against(LINEAGE, side, side)
    assert (listed(one, "new"), one["cells"], one["regression"]) == (["data_race: desc.handler"], 2, True)


def test_what_is_gone_because_nothing_succeeds_is_said_to_be_so() -> None:
    busy = ModeResult("verify", 4, seconds=0.1, complete=True, returned={"a: release virq=40": {"-EBUSY": 4}})
    one = held([], ["data_race: desc.handler"], is_={"verify": busy})
    assert (listed(one, "fixed"), one["idle"]) == (["data_race: desc.handler"], ["s"])
    out = console()
    show(out, list(sections([one])))
    assert "little happened with Mine in s: no fix is shown there" in out.file.getvalue()  # type: ignore[attr-defined]
    assert held([], ["data_race: desc.handler"])["idle"] == []
