"""Every bundled scenario of the vGIC: what it expects is what the complete proof finds."""

from __future__ import annotations

import pytest

import racebench as rb
from racebench.scenario.scenario import Scenario
from racebench.scenario.selection import bundled, bundled_root, name_of, scenario_files

# Those in Python have a test of their own; threads that draw cannot be verified.
CELLS = [(s, p) for s in bundled() if not s.variants and s.mix is None for p in s.protocols()]
FILES = scenario_files(bundled_root())
NAMES = {path: name_of(path, FILES) for path in {s.path for s, _ in CELLS}}


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize(("scenario", "protocol"), CELLS, ids=[f"{NAMES[s.path]}-{p}" for s, p in CELLS])
def test_a_cell_breaks_what_it_says_and_nothing_else(scenario: Scenario, protocol: str) -> None:
    result = rb.verify(scenario.program(protocol))
    assert result.complete
    assert sorted({f.rule for f in result.findings}) == sorted(scenario.expected(protocol))
