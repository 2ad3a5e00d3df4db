"""SARIF 2.1.0 for code scanning: each finding at a line of the model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from ...findings.rules import known
from ...records import FindingRecord
from .. import facts
from ..headline import in_a_line
from ..lanes import GIVES, TAKES, steps
from ..places import Repository, Spot, first_spot
from ..stored_run import Stored
from ..text import clean, clipped

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST_CHARS, _MOST_STEPS = 4000, 500


def render(stored: Stored) -> str:
    """One run of one tool, its conclusion first; level error where a rule broke unexpectedly, else note."""
    found, files = [record for _, record in stored.findings], Repository()
    rules = list(dict.fromkeys(_text(record.finding.rule) for record in found))
    cells = stored.run.cells
    fine = {(*cell.name, rule) for cell in cells for rule in (*cell.expected, *cell.allowed)}
    driver = {
        "name": "RaceBench",
        "version": _text(stored.run.racebench),
        "rules": [{"id": rule, "shortDescription": {"text": _meaning(rule)}} for rule in rules],
    }
    ended = f"{stored.at:%Y-%m-%dT%H:%M:%SZ}"
    run = {
        "automationDetails": {"description": _message(in_a_line(stored))},
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": not stored.run.interrupted, "endTimeUtc": ended}],
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, rules, (*one.cell, one.finding.rule) in fine, files) for one in found],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _meaning(rule: str) -> str:
    ours = known(rule)
    return ours.broken_when if ours else rule


def _text(value: Any) -> str:
    return clipped(clean(value), _MOST_CHARS) or "-"


def _message(text: str) -> dict[str, str]:
    """Plain text: neither an embedded link nor a placeholder."""
    return {"text": re.sub(r"\{(?=\d)", "{ ", _text(text).replace("](", "] ("))}


def _result(record: FindingRecord, rules: list[str], expected: bool, files: Repository) -> dict[str, Any]:
    rule = _text(record.finding.rule)
    result: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": rules.index(rule),
        "level": "note" if expected else "error",
        "message": _message(f"{facts.cell_name(record)}: {facts.sentence(record)}"),
        "locations": [_location(record, files)],
        "partialFingerprints": {"racebenchSignature/v1": _text(record.finding.signature)},
        "properties": {
            "scenario": _text(record.scenario),
            "protocol": _text(record.protocol),
            "seen": facts.seen(record),
        },
    }
    if record.count < 1 << 31:
        result["occurrenceCount"] = record.count
    related = [place for site, said in _places(record) if (place := _at(files.spot(site), _message(said)))]
    if related:
        result["relatedLocations"] = [{"id": i, **place} for i, place in enumerate(related)]
    flow = _flow(record, files)
    if flow:
        result["codeFlows"] = [{"threadFlows": flow}]
    return result


def _places(record: FindingRecord) -> Iterator[tuple[str, str]]:
    """The other places that the finding names, and what happens there."""
    for place in facts.places(record):
        yield place.site, f"{place.thread} {place.verb} {place.lock}"
    for access in record.finding.evidence.get("accesses") or ():
        yield access["site"], f"{access['thread']}: {access['op']}"


def _location(record: FindingRecord, files: Repository) -> dict[str, Any]:
    """The first of the finding's sites; its scenario if it has none."""
    if place := _at(first_spot(record, files)):
        return place
    name = re.split(r"[/\\]", record.scenario_file or record.scenario)[-1]
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(name)}, "region": {"startLine": 1}}}


def _at(spot: Spot | None, message: dict[str, str] | None = None) -> dict[str, Any]:
    """A SARIF location; empty if there is no place."""
    if spot is None:
        return {}
    place = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(spot.file)},
            "region": {"startLine": spot.line},
        },
        "logicalLocations": [{"name": spot.function, "kind": "function"}],
    }
    return {**place, "message": message} if message else place


def _uri(file: str) -> str:
    parts = [part for part in clean(file).split("/") if part not in ("", ".", "..")]
    return "/".join(quote(part, safe="") for part in parts) or "unknown"


def _flow(record: FindingRecord, files: Repository) -> list[dict[str, Any]]:
    """A flow for each thread: locks taken and released, fields written, and reads of written fields."""
    done = steps(record)[:_MOST_STEPS]
    written = {step["object"] for step in done if step["op"] == "write"}
    flows: dict[str, list[dict[str, Any]]] = {}
    for number, step in enumerate(done, 1):
        reads = step["op"] == "read" and step["object"] in written
        if step["op"] not in (*TAKES, *GIVES, "write") and not reads:
            continue
        place = _at(files.spot(step.get("site", "")), _message(f"{step['op']} {step['object']}"))
        if place:
            flows.setdefault(_text(step["thread"]), []).append({"location": place, "executionOrder": number})
    return [{"id": thread, "locations": locations} for thread, locations in flows.items()]
