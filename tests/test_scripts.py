"""What scripts use: stored runs as records, their schema, the list of the API, notebooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import racebench as rb
from racebench.records import MODES, finding_schema, run_schema

from .engine import programs as p

EXAMPLE = Path(__file__).parents[1] / "reports" / "example"
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "object": (dict,), "array": (list,), "null": (type(None),),
}  # fmt: skip


def validate(value: Any, schema: dict[str, Any], place: str = "") -> None:
    """The keywords that our schemas use, as JSON Schema means them."""
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    assert not types or isinstance(value, tuple(t for name in types for t in _TYPES[name])), place
    assert types != ["integer"] or not isinstance(value, bool), place
    for one in schema.get("anyOf", [])[:1]:
        if value is not None:
            validate(value, one, place)
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= set(value), place
        for key, inner in value.items():
            validate(inner, schema.get("properties", {}).get(key, {}), f"{place}.{key}")
    if isinstance(value, list):
        assert schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), place
        for inner in value:
            validate(inner, schema.get("items", {}), f"{place}[]")
    assert not isinstance(value, int) or schema.get("minimum", value) <= value <= schema.get("maximum", value)


def described(value: dict[str, Any], schema: dict[str, Any]) -> None:
    """Every key that is stored is named."""
    assert set(value) <= set(schema["properties"])


def test_what_is_stored_is_as_the_schema_says() -> None:
    run = json.loads((EXAMPLE / "run.json").read_text())
    validate(run, run_schema())
    described(run, run_schema())
    cell = run_schema()["properties"]["cells"]["items"]
    for one in run["cells"]:
        described({key: value for key, value in one.items() if key != "vacuous"}, cell)
        for mode in MODES:
            if one[mode]:
                figures = {k: v for k, v in one[mode].items() if k != "miss_bound"}
                described(figures, cell["properties"][mode]["anyOf"][0])
    for path in (EXAMPLE / "findings").iterdir():
        finding = json.loads(path.read_text())
        validate(finding, finding_schema())
        described(finding, finding_schema())


@pytest.mark.parametrize("change", [{"schema": 2}, {"cells": [{}]}, {"wall_s": "1"}, {"racebench": None}])
def test_and_what_is_not_is_refused_by_both(change: dict[str, Any], tmp_path: Path) -> None:
    run = {**json.loads((EXAMPLE / "run.json").read_text()), **change}
    with pytest.raises(AssertionError):
        validate(run, run_schema())
    (tmp_path / "run.json").write_text(json.dumps(run))
    with pytest.raises(rb.ResultError):
        rb.load(tmp_path)


def test_load_gives_the_records() -> None:
    stored = rb.load(EXAMPLE)
    assert rb.load(str(EXAMPLE / "run.json")).cells == stored.cells
    [cell] = [c for c in stored.cells if c.name == ("release_vs_release", "baseline")]
    assert cell.found == ("crash.null_desc",) and cell.verify is not None and cell.verify.complete
    [record] = stored.of(cell)
    assert record.finding.rule == "crash.null_desc" and record.finding.schedule
    assert stored.findings[cell.findings[0]] is record


def test_dir_lists_the_api() -> None:
    assert dir(rb) == sorted(rb.__all__) and {"load", "explore", "Lock", "race_test"} <= set(dir(rb))
    assert all(getattr(rb, name) is not None for name in dir(rb))


def test_a_notebook_shows_result_and_findings() -> None:
    shown = rb.verify(p.account(p.racy_deposit))._repr_html_()
    assert "<b>Result FOUND after" in shown and "<summary>account.lost: " in shown
    assert "<pre>" in shown and "acquire" not in rb.Finding("a", "b", "<script>")._repr_html_()
    assert "<script>" not in rb.Finding("a", "b", "<script>")._repr_html_()
