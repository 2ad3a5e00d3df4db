"""A finished run in the terminal."""

from __future__ import annotations

from typing import Any

import pytest

from racebench.report.run import document
from racebench.report.terminal import MOST_PANELS, show_run

from .samples import cell, console, finding, stored


class Verdict:
    def __init__(self, id: str, verdict: str) -> None:
        self.id, self.verdict = id, verdict
        self.claim, self.by, self.evidence = "the lock is not needed", "the patch", ("route: broken",)


def shown(*cells: dict[str, Any], width: int = 80, **how: Any) -> str:
    screen = console(width)
    show_run(screen, document(stored(*cells, **how)))
    return str(screen.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 160])
def test_verdicts_claims_findings_and_where_they_are(width: int) -> None:
    claims = [Verdict("K1", "refuted"), Verdict("K2", "not tested")]
    text = shown(cell(), claims=claims, width=width)
    order = ["verdicts ", "claims ", "K1", "refuted", "not tested here: K2", "1 distinct finding"]
    order += [
        "racebench replay runs/x/findings/0001.json",
        "1 of 1 cell as expected",
        "saved in runs/x",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_very_many_findings_are_named_not_drawn() -> None:
    text = shown(cell(), findings=[finding(signature=f"s{i}") for i in range(MOST_PANELS + 2)])
    assert text.count("╭─") == MOST_PANELS
    assert text.count("racebench explain ") == 2
    assert "claims" not in text


def test_an_empty_run_is_shown() -> None:
    assert "interrupted: 0 of 0 cells as expected" in shown(findings=[], interrupted=True)
