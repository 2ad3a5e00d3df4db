"""A finished run in the terminal."""

from __future__ import annotations

from typing import Any

from racebench.report.run import document
from racebench.report.terminal import MOST_PANELS, show_run

from .samples import cell, console, finding, stored


def shown(*cells: dict[str, Any], width: int = 80, **how: Any) -> str:
    screen = console(width)
    show_run(screen, document(stored(*cells, **how)))
    return str(screen.file.getvalue())  # type: ignore[attr-defined]


def test_very_many_findings_are_named_not_drawn() -> None:
    text = shown(
        cell(),
        findings=[
            finding(signature=f"s{i}", schedule=[["vcpu0", "read", f"x{i}"]]) for i in range(MOST_PANELS + 2)
        ],
    )
    assert text.count("╭─") == MOST_PANELS
    assert text.count("times:\n  racebench explain ") + text.count("times: racebench explain ") == 2
    assert "claims" not in text


def test_an_empty_run_is_shown() -> None:
    assert "interrupted: 0 of 0 cells as expected" in shown(findings=[], interrupted=True)
