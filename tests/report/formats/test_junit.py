"""JUnit XML, against the rules that the schemas of Jenkins, GitLab and Ant have in common."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

from racebench.report.formats.junit import render

from ..samples import cell, stored

# element -> (required attributes, optional ones, children in their order)
_SCHEMA: dict[str, tuple[set[str], set[str], tuple[str, ...]]] = {
    "testsuites": (set(), set(), ("testsuite",)),
    "testsuite": (
        {"name", "tests", "failures", "errors", "time", "timestamp", "hostname", "id", "package"},
        {"skipped"},
        ("properties", "testcase", "system-out", "system-err"),
    ),
    "properties": (set(), set(), ("property",)),
    "property": ({"name", "value"}, set(), ()),
    "testcase": ({"name", "classname", "time"}, set(), ("skipped", "error", "failure")),
    "failure": ({"type"}, {"message"}, ()),
    "error": ({"type"}, {"message"}, ()),
    "system-out": (set(), set(), ()),
    "system-err": (set(), set(), ()),
}
_NUMBERS = {"tests", "failures", "errors", "skipped", "id"}
_REPEATED = {"testsuite", "testcase", "property"}


def validate(element: ET.Element) -> None:
    """Assert what the schemas ask for, of an element and all below it."""
    required, optional, children = _SCHEMA[element.tag]
    assert required <= set(element.attrib) <= required | optional, element.tag
    places = [children.index(child.tag) for child in element]
    assert places == sorted(places), f"order in {element.tag}"
    for tag in children:
        assert tag in _REPEATED or len(element.findall(tag)) <= 1, tag
    for name, value in element.attrib.items():
        assert value and value == value.strip()
        assert name not in _NUMBERS or re.fullmatch(r"[0-9]+", value), name
        assert name != "time" or re.fullmatch(r"[0-9]+\.[0-9]{3}", value)
        assert name != "timestamp" or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value)
    if element.tag == "testcase":
        assert len(element) <= 1
    if element.tag == "testsuite":
        assert all(element.find(tag) is not None for tag in ("properties", "system-out", "system-err"))
        for kind in ("failure", "error"):
            assert element.attrib[f"{kind}s"] == str(len(element.findall(f"testcase/{kind}")))
        assert element.attrib["tests"] == str(len(element.findall("testcase")))
    for child in element:
        validate(child)


def parsed(*cells: dict[str, Any], **how: Any) -> ET.Element:
    root = ET.fromstring(render(stored(*cells, **how)).encode())
    validate(root)
    return root


def test_a_cell_is_a_case() -> None:
    root = parsed(
        cell(),
        cell("release_vs_isenabler", verdict="unexpected", found=["deadlock.cycle"]),
        cell(protocol="a", verdict="missed", expected=["data_race"]),
        cell(protocol="b", verdict="unknown", error="cannot run"),
        host={"python": "3.11", "gil": True},
    )
    fine, unexpected, missed, unknown = root.iter("testcase")
    assert fine.attrib["classname"] == "racebench.route_vs_route"
    assert fine.attrib["name"] == "baseline" and len(fine) == 0
    [failure] = unexpected
    assert failure.attrib == {"type": "unexpected", "message": "unexpected: deadlock.cycle"}
    assert "wait for each other" in (failure.text or "")
    assert "racebench replay runs/x/findings/0001.json" in (failure.text or "")
    assert missed[0].attrib["message"] == "missed: nothing found; not found: data_race"
    assert unknown[0].tag == "error" and unknown[0].attrib["message"] == "unknown: cannot run"
    assert [p.attrib["name"] for p in root.iter("property")] == ["conclusion", "python", "gil"]


def test_unknown_is_never_a_pass() -> None:
    root = parsed(cell(verdict="unknown"), cell(verdict="of tomorrow"))
    assert len(list(root.iter("error"))) == 2


def test_times_are_those_of_the_modes() -> None:
    verify = {"complete": True, "executions": 2, "seconds": 0.5}
    stress = {"collisions": 1, "failures": 0, "seconds": 1.25}
    assert next(parsed(cell(verify=verify, stress=stress)).iter("testcase")).attrib["time"] == "1.750"


def test_an_empty_run_is_valid() -> None:
    parsed()


def test_it_begins_with_the_conclusion() -> None:
    def first(*cells: dict[str, Any]) -> str:
        attributes = next(parsed(*cells, findings=[]).iter("property")).attrib
        assert attributes["name"] == "conclusion"
        return attributes["value"]

    assert first(cell()).startswith("Nothing breaks in route_vs_route x baseline")
    assert first(cell(verdict="unknown")).startswith("No answer for route_vs_route x baseline")
