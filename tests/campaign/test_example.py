"""The example campaign: a run like any other, small, and what it says is what scenarios say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from racebench.cli import main
from racebench.findings import EVIDENCE
from racebench.scenario.selection import select

from ..example import EXAMPLE

RUN: dict[str, Any] = json.loads((EXAMPLE / "run.json").read_text(encoding="utf-8"))
FINDINGS = sorted((EXAMPLE / "findings").iterdir())
PAGES = [EXAMPLE.parent / "README.md", EXAMPLE / "README.md"]


def test_it_has_every_cell_of_the_claims_as_they_are_expected() -> None:
    expected = {(s.name, p): sorted(s.expected(p)) for s in select(["@thread"]) for p in s.protocols()}
    assert {(c["scenario"], c["protocol"]): c["found"] for c in RUN["cells"]} == expected
    assert all(c["verdict"] == "as_expected" and c["verify"]["complete"] for c in RUN["cells"])


def test_it_has_one_finding_a_signature_and_is_small() -> None:
    signatures = [json.loads(path.read_text(encoding="utf-8"))["signature"] for path in FINDINGS]
    assert len(signatures) == len(set(signatures))
    named = [path for cell in RUN["cells"] for path in cell["findings"]]
    assert sorted(named) == [f"findings/{path.name}" for path in FINDINGS]
    assert sum(path.stat().st_size for path in EXAMPLE.rglob("*") if path.is_file()) <= 600_000


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_each_finding_is_reproduced_by_todays_code(path: Path) -> None:
    assert main(["replay", str(path)]) == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_folder_is_a_run_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(EXAMPLE)]) == 0
    cells = len(RUN["cells"])
    assert f"{cells} of {cells} cells as expected" in capsys.readouterr().out


def test_it_names_no_path_of_the_machine_that_made_it() -> None:
    for name in ("report.html", "finding.svg"):
        text = (EXAMPLE / name).read_text(encoding="utf-8").replace("&#160;", " ")
        commands = re.findall(r"racebench replay ([^<\s]+)", text)
        assert commands
        assert all(path.startswith("reports/") for path in commands)


def test_every_key_of_the_evidence_is_explained() -> None:
    used = {key for path in FINDINGS for key in json.loads(path.read_text(encoding="utf-8"))["evidence"]}
    assert used <= set(EVIDENCE)
