"""SARIF, against what the 2.1.0 schema requires of the objects that are used."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import pytest

from racebench.report.formats.sarif import render

from ..samples import STEPS, cell, finding, stored

# object -> {property: type or object name or [item]}; those with "!" are required
_SCHEMA: dict[str, dict[str, Any]] = {
    "log": {"$schema": str, "version!": str, "runs!": ["run"]},
    "run": {
        "automationDetails": "automation", "tool!": "tool", "invocations": ["invocation"], "columnKind": str,
        "results": ["result"],
    },
    "automation": {"description": "message"},
    "tool": {"driver!": "driver"},
    "driver": {"name!": str, "version": str, "rules": ["rule"]},
    "rule": {"id!": str, "shortDescription": "message"},
    "invocation": {"executionSuccessful!": bool, "endTimeUtc": str},
    "result": {
        "ruleId": str, "ruleIndex": int, "level": str, "message!": "message", "locations": ["location"],
        "relatedLocations": ["location"], "codeFlows": ["codeFlow"], "occurrenceCount": int,
        "partialFingerprints": dict, "properties": dict,
    },
    "message": {"text!": str},
    "location": {
        "id": int, "physicalLocation": "physical", "logicalLocations": ["logical"], "message": "message",
    },
    "physical": {"artifactLocation!": "artifact", "region": "region"},
    "artifact": {"uri!": str},
    "region": {"startLine!": int},
    "logical": {"name": str, "kind": str},
    "codeFlow": {"threadFlows!": ["threadFlow"]},
    "threadFlow": {"id": str, "locations!": ["flowLocation"]},
    "flowLocation": {"location": "location", "executionOrder": int},
}  # fmt: skip


def validate(value: Any, shape: Any) -> None:
    """Assert types, required properties and that no other is there (the schema forbids them)."""
    if isinstance(shape, list):
        assert isinstance(value, list)
        for one in value:
            validate(one, shape[0])
    elif isinstance(shape, str):
        properties = {name.rstrip("!"): inner for name, inner in _SCHEMA[shape].items()}
        assert isinstance(value, dict)
        assert set(value) <= set(properties), shape
        assert {name[:-1] for name in _SCHEMA[shape] if name.endswith("!")} <= set(value), shape
        for name, inner in value.items():
            validate(inner, properties[name])
    else:
        assert type(value) is shape
        if shape is dict:
            assert all(type(v) is str for v in value.values())


def parsed(*cells: dict[str, Any], **how: Any) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(render(stored(*cells, **how)))
    validate(log, "log")
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["locations"]
        for place in (*result["locations"], *result.get("relatedLocations", ())):
            assert place["physicalLocation"]["region"]["startLine"] >= 1
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[A-Za-z0-9._~%/-]+", uri) and ".." not in unquote(uri).split("/")
    return dict(run)


def where(result: dict[str, Any]) -> tuple[str, int]:
    place = result["locations"][0]["physicalLocation"]
    return place["artifactLocation"]["uri"], place["region"]["startLine"]


def test_a_finding_is_a_result_at_its_line() -> None:
    [result] = parsed(cell("release_vs_isenabler", found=["deadlock.cycle"]))["results"]
    assert result["ruleId"] == "deadlock.cycle"
    assert "wait for each other" in result["message"]["text"]
    assert where(result) == ("racebench/vgic/vgic.py", 63)
    assert list(result["partialFingerprints"].values()) == ["deadlock.cycle: desc, rank"]
    assert result["occurrenceCount"] == 1310
    said = [place["message"]["text"] for place in result["relatedLocations"]]
    assert said[:2] == ["vcpu0 holds rank[1]", "vcpu0 wants desc[64]"]


def test_what_was_expected_is_a_note() -> None:
    [result] = parsed(cell("release_vs_isenabler", found=["deadlock.cycle"]))["results"]
    assert result["level"] == "error"
    [result] = parsed(cell("release_vs_isenabler", expected=["deadlock.cycle"]))["results"]
    assert result["level"] == "note"


@pytest.mark.parametrize(
    ("evidence", "place"),
    [
        ({"site": "irq_set_affinity (vgic/irq.py:55)"}, ("racebench/vgic/irq.py", 55)),
        ({"waiting": [{"thread": "a", "holds": [], "wants": {"lock": "l", "site": "f (mine/x y.py:7)"}}]},
         ("mine/x%20y.py", 7)),
        ({"accesses": [{"thread": "a", "op": "read", "site": "f (protocols/no_rank_lock.py:3)"}]},
         ("racebench/vgic/protocols/no_rank_lock.py", 3)),
        ({"stacks": {"a": ["f (a/b.py:1)", "g (a/b.py:2)"]}}, ("a/b.py", 2)),
        ({"site": "f (../../etc/passwd:0)"}, ("etc/passwd", 1)),
        ({}, ("route.toml", 1)),
    ],
)  # fmt: skip
def test_where(evidence: dict[str, Any], place: tuple[str, int]) -> None:
    found = finding(evidence=evidence, schedule=[], scenario_file="/home/me/route.toml")
    [result] = parsed(findings=[found])["results"]
    assert where(result) == place


def test_a_wrong_state_is_where_the_protocol_wrote_it_last() -> None:
    sites = [
        "f (vgic/vgic.py:1)",
        "f (vgic/vgic.py:2)",
        "g (protocols/domain_lock.py:3)",
        "h (vgic/vgic.py:4)",
    ]
    steps = [{**STEPS[2], "site": site} for site in sites]
    [result] = parsed(findings=[finding(evidence={"steps": steps})])["results"]
    assert where(result) == ("racebench/vgic/protocols/domain_lock.py", 3)
    [flow] = result["codeFlows"][0]["threadFlows"]
    assert [place["executionOrder"] for place in flow["locations"]] == [1, 2, 3, 4]


def test_a_message_holds_no_link_and_no_placeholder() -> None:
    [result] = parsed(findings=[finding(summary="[a](http://b) {0}", evidence={})])["results"]
    assert "](" not in result["message"]["text"]
    assert not re.search(r"\{\d", result["message"]["text"])


def test_it_begins_with_the_conclusion() -> None:
    def first(*cells: dict[str, Any]) -> str:
        run = parsed(*cells, findings=[])
        assert next(iter(run)) == "automationDetails"
        return str(run["automationDetails"]["description"]["text"])

    assert first(cell()).startswith("Nothing breaks in route_vs_route x baseline")
    assert first(cell(verdict="unknown")).startswith("No answer for route_vs_route x baseline")
