"""A rule is one file: its name, what reports say of it, and the audit that looks for it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import racebench as rb
from racebench import vgic
from racebench.cli import main
from racebench.errors import ScenarioError
from racebench.findings import rules
from racebench.report.rules import clause, word
from racebench.scenario.scenario import load_scenario
from racebench.vgic import audits
from racebench.vgic.program import MachineBuilder

OWN = """
from racebench.findings import broken
from racebench.findings.rules import Kind, Rule

KIND = Kind.CRASH
RULES = {"own.quiet": Rule("a line is disabled", "quiet", "a line is quiet")}

def quiet(machine, rows):
    for row in rows:
        if row.desc is not None and row.desc.DISABLED:
            yield broken("own.quiet", f"vIRQ {row.virq} is quiet")
"""
SCENARIO = """
schema = 1
title = "a line that nobody enables"
[threads]
toolstack0 = ["route virq=40 pirq=64"]
[expect]
"*" = ["own.quiet"]
"""


def _told(enabled: bool) -> list[str]:
    initial = vgic.Initial(routed=((40, 64, enabled),))
    machine = MachineBuilder(initial, {}, vgic.Baseline).build().machine
    return [broken.rule for broken in audits.audit(machine)]


def test_a_new_file_is_a_rule_and_needs_no_other_edit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    file = tmp_path / "quiet.toml"
    file.write_text(SCENARIO)
    with pytest.raises(ScenarioError, match="unknown rule"):
        load_scenario(file)
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    rules.families.cache_clear()
    try:
        monkeypatch.setattr(audits, "AUDITS", rules.audits())
        assert _told(enabled=False) == ["own.quiet"]
        assert _told(enabled=True) == []
        assert (word("own.quiet"), clause("own.quiet")) == ("x quiet", "a line is quiet")
        assert main(["list", "rules"]) == 0
        assert "own.quiet" in capsys.readouterr().out
        scenario = load_scenario(file)
        result = rb.verify(scenario.program("baseline"))
        assert [finding.rule for finding in result.findings] == [*scenario.expected("baseline")]
    finally:
        rules.families.cache_clear()
        sys.modules.pop("racebench.findings.rules.own", None)


def test_a_rule_stands_in_the_file_of_its_family() -> None:
    for family in rules.families():
        module = import_module(f"{rules.__name__}.{family}")
        assert {name.partition(".")[0] for name in module.RULES} == {family}


def test_a_programs_own_rule_has_the_kind_of_its_family() -> None:
    assert rules.known("crash.mine") is None
    assert rules.kind("crash.mine") is rules.Kind.CRASH
    assert rules.kind("account.lost") is rules.kind("..") is rules.Kind.CORRUPTION
    assert rules.kind("lock.irqs_on") is rules.Kind.PREDICTION
    assert [name for name in rules.rules() if rules.is_benign(name)] == ["lock.irqs_on"]


def test_no_family_is_imported_before_one_of_its_rules_is_asked_for() -> None:
    code = "import sys, racebench.report.rules as r; r.word('mapping.corrupted'); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert [name for name in loaded.split() if "findings.rules." in name] == [
        "racebench.findings.rules.mapping"
    ]
