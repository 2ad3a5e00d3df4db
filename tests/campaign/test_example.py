"""The example campaign: what it says is what the code of today says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import racebench as rb
from racebench.cli import main
from racebench.findings import EVIDENCE
from racebench.scenario.scenario import Scenario
from racebench.scenario.selection import select

from ..example import DISCOVERIES, EXAMPLE, PAGES, broken, campaign, filled, findings_of

SCENARIOS = select(["@thread", "@pairs", str(DISCOVERIES)])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_stored_verdict_is_what_todays_code_proves(scenario: Scenario) -> None:
    stored = {c["protocol"]: c for c in campaign()["cells"] if c["scenario"] == scenario.name}
    assert sorted(stored) == sorted(scenario.protocols())
    for protocol, cell in stored.items():
        result = rb.verify(scenario.program(protocol))
        assert result.complete and cell["verify"]["complete"]
        assert sorted({f.rule for f in result.findings}) == cell["found"], protocol
        assert cell["verdict"] == "as_expected"


def test_nothing_else_is_stored() -> None:
    assert {c["scenario"] for c in campaign()["cells"]} == {s.name for s in SCENARIOS}


def test_every_broken_cell_of_a_shipped_protocol_has_a_page() -> None:
    pages = {page.stem for page in PAGES}
    assert {cell["scenario"].split("/")[-1] for cell in broken()} <= pages


@pytest.mark.parametrize("page", [*PAGES, DISCOVERIES / "README.md"], ids=lambda page: page.stem)
def test_a_page_quotes_what_is_stored(page: Path) -> None:
    """If this is red after a change of the report: ``python -m tests.example``."""
    assert filled(page) == page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", sorted(EXAMPLE.rglob("*.md")), ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:\s]+)\)", text):
        assert (page.parent / target).exists(), target


def test_the_folder_is_a_run_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(EXAMPLE)]) == 0
    assert "cells as expected" in capsys.readouterr().out


def test_every_key_of_the_evidence_is_explained() -> None:
    used = {key for cell in campaign()["cells"] for _, f in findings_of(cell) for key in f["evidence"]}
    assert used <= set(EVIDENCE)
