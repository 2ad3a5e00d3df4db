"""A stored run as a whole: what is distinct in it, the sum in a line."""

from __future__ import annotations

from typing import Any

from racebench.report.stored_run import Stored, distinct, summary

from .samples import cell, finding, stored


def run(*cells: dict[str, Any], **how: Any) -> Stored:
    return stored(*cells, **{"findings": [], "folder": "reports/x", **how})


def test_surprises_come_first_and_cells_of_one_signature_together() -> None:
    expected = cell("release_vs_isenabler", expected=["deadlock.cycle"], found=["deadlock.cycle"])
    other = cell("release_vs_isenabler", "mine", found=["deadlock.cycle", "crash.null_desc"])
    findings = [
        finding(),
        finding(protocol="mine", schedule=[]),
        finding(protocol="mine", rule="crash.null_desc", signature="crash"),
    ]
    listed = distinct(run(expected, other, findings=findings))
    assert [(one.path, one.record.finding.rule) for one in listed] == [
        ("reports/x/findings/0003.json", "crash.null_desc"),
        ("reports/x/findings/0002.json", "deadlock.cycle"),
    ]
    assert listed[1].also == ["release_vs_isenabler x baseline"]


def test_a_schedule_is_preferred() -> None:
    listed = distinct(run(findings=[finding(schedule=[]), finding(protocol="other")]))
    assert [one.path for one in listed] == ["reports/x/findings/0002.json"]


def test_what_surprises_is_left_when_all_else_goes() -> None:
    fine, bad = cell(found=["deadlock.cycle"]), cell("release_vs_isenabler", verdict="unexpected")
    left = run(
        fine, bad, findings=[finding(), finding(scenario="route_vs_route")], claims=[object()]
    ).surprising()
    assert [c.verdict for c in left.run.cells] == ["unexpected"]
    assert [record.scenario for _, record in left.findings] == ["release_vs_isenabler"]
    assert not left.claims


def test_the_summary_counts_what_was_done() -> None:
    explored = cell(stress=None, verify=None, explore={"executions": 86, "failures": 0})
    text = summary(run(cell(), explored).run)
    assert text == "2 of 2 cells as expected, 412,000 collisions, 100 controlled executions, 30.1 s"


def test_what_is_confirmed_here_and_unreachable_there_is_two() -> None:
    def inversion(name: str, label: str) -> dict[str, Any]:
        evidence = {"ring": [], "confirmation": {"label": label, "why": "so"}}
        rule = "lock_order.inversion"
        return finding(rule=rule, signature="s", protocol=name, evidence=evidence)

    pairs = [inversion("a", "confirmed"), inversion("b", "unreachable"), inversion("c", "unreachable")]
    listed = distinct(run(cell(), findings=pairs))
    assert [(one.record.protocol, [also.split(" x ")[1] for also in one.also]) for one in listed] == [
        ("a", []),
        ("b", ["c"]),
    ]


def test_a_cell_that_was_cut_off_is_not_judged() -> None:
    cut = cell(verdict="unknown", partial=True)
    assert summary(run(cell(), cut, interrupted=True).run).startswith("interrupted: 1 of 1 cell as expected")
