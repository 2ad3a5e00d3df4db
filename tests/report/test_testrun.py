"""What a test runner prints of visits and of the merged run."""

from __future__ import annotations

from dataclasses import replace

from racebench.records import Run
from racebench.report.testrun import failure, panels, race_report, verdict

from .samples import ESC, EVIL, a_cell, finding, record

BROKEN = a_cell("release_vs_isenabler", found=["deadlock.cycle"], verdict="unexpected")


def test_a_verdict_is_one_line() -> None:
    assert verdict(BROKEN) == (
        "unexpected: release_vs_isenabler x baseline: expected nothing, found deadlock.cycle; "
        "every schedule was run (14 executions)"
    )
    assert verdict(a_cell(error=f"no {ESC}")).endswith("found nothing: no \N{REPLACEMENT CHARACTER}")


def test_a_failure_draws_what_nobody_expected_once() -> None:
    findings = (finding(), finding(signature="again"), finding(rule="data_race", signature="fine"))
    found = [(f"f/{n}.json", record(one)) for n, one in enumerate(findings, 1)]
    text = failure(replace(BROKEN, allowed=("data_race",)), found, ["again"], "vcpu0 stood in f", 80)
    assert text.startswith("unexpected: ")
    assert text.count("─ deadlock.cycle: release_vs_isenabler x baseline ─") == 1
    assert "\nagain: deadlock.cycle: vcpu0 and toolstack wait" in text
    assert "replay: racebench replay f/1.json" in text and "f/3.json" not in text
    assert text.endswith("Where every thread stood:\n\nvcpu0 stood in f")


def test_of_many_findings_five_are_drawn() -> None:
    text = panels([("", record(finding(signature=str(n)))) for n in range(7)], 80)
    assert text.count("╭─") == 5 and text.endswith("and 2 findings more")


def test_a_merged_run_says_its_conclusion_and_names_the_findings() -> None:
    run = Run((BROKEN,), wall_s=1.0)
    found = [("findings/0001.json", record(finding()))]
    text = race_report(run, found, "out", 80, False)
    assert "╭─" not in text
    assert text.startswith("Not expected: under baseline, threads deadlock in release_vs_isenabler.\n")
    assert "racebench explain out/findings/0001.json\n" in text
    assert text.endswith("all of it: racebench explain out")
    assert ESC in race_report(run, [], "", 80, True)


def test_nothing_in_a_file_is_obeyed() -> None:
    evil = a_cell(EVIL, EVIL, verdict=EVIL, found=[EVIL])
    found = [("x", record(finding(rule=EVIL)))]
    assert ESC not in race_report(Run((evil,)), found, "", 80, False) + verdict(evil)
