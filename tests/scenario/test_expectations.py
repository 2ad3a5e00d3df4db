"""Every bundled scenario of the vGIC: what it expects is what the complete proof finds."""

from __future__ import annotations

import pytest

import racebench as rb
from racebench.scenario.scenario import Scenario
from racebench.scenario.selection import bundled, name_of

# Those in Python have a test of their own; threads that draw cannot be verified.
CELLS = [(s, p) for s in bundled() if not s.variants and s.mix is None for p in s.protocols()]


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize(("scenario", "protocol"), CELLS, ids=[f"{name_of(s.path)}-{p}" for s, p in CELLS])
def test_a_cell_breaks_what_it_says_and_nothing_else(scenario: Scenario, protocol: str) -> None:
    result = rb.verify(scenario.program(protocol))
    assert result.complete
    assert sorted({f.rule for f in result.findings}) == sorted(scenario.expected(protocol))
