"""Every bundled scenario of the vGIC: what it expects is what the complete proof finds."""

from __future__ import annotations

import pytest

import racebench as rb
from racebench.scenario.scenario import Scenario
from racebench.scenario.selection import bundled, name_of

# Those in Python have a test of their own; threads that draw cannot be verified.
PROVED = [s for s in bundled() if not s.variants and s.mix is None]


@pytest.mark.parametrize("scenario", PROVED, ids=lambda scenario: name_of(scenario.path))
def test_each_protocol_breaks_what_it_says_and_nothing_else(scenario: Scenario) -> None:
    for protocol in scenario.protocols():
        result = rb.verify(scenario.program(protocol))
        assert result.complete
        assert sorted({f.rule for f in result.findings}) == sorted(scenario.expected(protocol)), protocol
