"""What a fuzz run met, as it is shown."""

from __future__ import annotations

from typing import Any

from racebench.report.fuzzing import fuzz_report
from racebench.report.terminal import plain


def met(
    signature: str, after: int, covered: str | None = None, scenario: str | None = None
) -> dict[str, Any]:
    entry = {"signature": signature, "after": after, "seconds": float(after)}
    return {**entry, "covered": covered, "scenario": scenario}


def run(*met: dict[str, Any], interrupted: bool = False) -> dict[str, Any]:
    fuzzed = {"protocol": "baseline", "drawn": 1200, "met": list(met)}
    return {"fuzz": fuzzed, "wall_s": 60.0, "interrupted": interrupted}


def test_what_is_new_comes_first_with_its_commands() -> None:
    known, new = met("race", 7, covered="route_vs_route"), met("late", 8, scenario="a b.toml")
    fuzzed = run(met("lost", 9), new, known, interrupted=True)
    text = plain(fuzz_report(fuzzed, "reports/f", "mine.py:Mine", full=True), 80)
    head = [
        "2 signatures that no bundled scenario shows break under baseline.",
        "1,200 scenarios drawn in 1 min 00 s: 3 signatures, 2 new (interrupted)",
        "late",
        "  racebench run 'a b.toml' --protocol mine.py:Mine",
        "lost",
        "all of it: racebench explain reports/f",
    ]
    assert [line.rstrip() for line in text.splitlines()] == [
        *head,
        "",
        "baseline: shown by bundled scenarios too",
        "7.0 s  race  route_vs_route",
        "",
        "baseline: new",
        "8.0 s  late",
        "9.0 s  lost",
        "       did not come again, or comes with one that is stored",
    ]
    assert plain(fuzz_report(fuzzed, "reports/f", "mine.py:Mine"), 80).splitlines() == head


def test_nothing_new_needs_no_command() -> None:
    said = plain(fuzz_report(run(met("race", 7, covered="x")), "f", "p"), 90)
    assert said.startswith("Nothing new breaks under baseline: the bundled scenarios show all that was met.")
    assert "racebench" not in said
    assert "0 signatures, 0 new" in plain(fuzz_report(run(), "f", "p"), 80)
