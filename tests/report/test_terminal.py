"""A finished run in the terminal."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.report.terminal import MOST_PANELS, distinct, show_run, summary

from .samples import cell, console, finding


class Verdict:
    def __init__(self, id: str, verdict: str) -> None:
        self.id, self.verdict = id, verdict
        self.claim, self.by, self.evidence = "the lock is not needed", "the patch", ("route: broken",)


def run(*cells: dict[str, Any], **how: Any) -> dict[str, Any]:
    return {"schema": 1, "cells": list(cells), "wall_s": 30.1, "dir": "reports/x", **how}


def shown(run: dict[str, Any], claims: list[Any], findings: list[Any], width: int = 80) -> str:
    screen = console(width)
    show_run(screen, run, claims, findings)
    return str(screen.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 160])
def test_verdicts_claims_findings_and_where_they_are(width: int) -> None:
    claims = [Verdict("K1", "refuted"), Verdict("K2", "not tested")]
    text = shown(run(cell()), claims, [("findings/0001.json", finding())], width)
    order = ["verdicts ", "claims ", "K1", "refuted", "not tested here: K2", "1 distinct finding"]
    order += [
        "racebench replay reports/x/findings/0001.json",
        "1 of 1 cell as expected",
        "saved in reports/x",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_surprises_come_first_and_cells_of_one_signature_together() -> None:
    expected = cell("release_vs_isenabler", expected=["deadlock.cycle"], found=["deadlock.cycle"])
    other = cell("release_vs_isenabler", "mine", found=["deadlock.cycle", "crash.null_desc"])
    findings = [
        ("1", finding()),
        ("2", finding(protocol="mine", schedule=[])),
        ("3", finding(protocol="mine", rule="crash.null_desc", signature="crash")),
    ]
    told = distinct(run(expected, other), findings)
    assert [(one.path, one.finding["rule"]) for one in told] == [
        ("reports/x/3", "crash.null_desc"),
        ("reports/x/2", "deadlock.cycle"),
    ]
    assert told[1].also == ["release_vs_isenabler x baseline"]


def test_a_schedule_is_preferred() -> None:
    told = distinct(run(), [("1", finding(schedule=[])), ("2", finding(protocol="other"))])
    assert [one.path for one in told] == ["reports/x/2"]


def test_very_many_findings_are_named_not_drawn() -> None:
    findings = [(f"findings/{i:04d}.json", finding(signature=f"s{i}")) for i in range(MOST_PANELS + 2)]
    text = shown(run(cell()), [], findings)
    assert text.count("╭─") == MOST_PANELS
    assert "2 more:" in text
    assert text.count("racebench explain ") == 2
    assert "claims" not in text


def test_an_empty_run_is_shown() -> None:
    assert "interrupted: 0 of 0 cells as expected" in shown(run(interrupted=True), [], [])


def test_the_summary_counts_what_was_done() -> None:
    explored = cell(stress=None, verify=None, explore={"executions": 86, "failures": 0})
    text = summary(run(cell(), explored))
    assert text == "2 of 2 cells as expected, 412,000 collisions, 100 controlled executions, 30.1 s"


def test_what_is_confirmed_here_and_unreachable_there_is_two() -> None:
    def inversion(name: str, label: str) -> tuple[str, Any]:
        evidence = {"ring": [], "confirmation": {"label": label, "why": "so"}}
        rule = "lock_order.inversion"
        return f"findings/{name}.json", finding(rule=rule, signature="s", protocol=name, evidence=evidence)

    pairs = [inversion("a", "confirmed"), inversion("b", "unreachable"), inversion("c", "unreachable")]
    told = distinct(run(cell()), pairs)
    assert [(one.finding["protocol"], [also.split(" x ")[1] for also in one.also]) for one in told] == [
        ("a", []),
        ("b", ["c"]),
    ]


def test_a_cell_that_was_cut_off_is_not_judged() -> None:
    cut = cell(verdict="unknown", partial=True)
    assert summary(run(cell(), cut, interrupted=True)).startswith("interrupted: 1 of 1 cell as expected")
