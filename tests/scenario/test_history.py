"""Every history scenario: each variant's expectation is what the complete proof finds."""

from __future__ import annotations

from pathlib import Path

import pytest

import racebench as rb
from racebench.scenario.scenario import load_scenario

HISTORY = sorted((Path(__file__).resolve().parents[2] / "scenarios" / "history").glob("*.py"))


@pytest.mark.parametrize("path", HISTORY, ids=lambda path: path.stem)
def test_each_variant_breaks_what_it_says_and_nothing_else(path: Path) -> None:
    scenario = load_scenario(path)
    assert "history" in scenario.tags
    assert " @ " in scenario.source
    assert scenario.comment
    for variant in scenario.protocols():
        result = rb.verify(scenario.program(variant))
        assert result.complete
        assert sorted({f.rule for f in result.findings}) == sorted(scenario.expected(variant)), variant
