"""JSON Schema of stored runs, made from the same tables that reading checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..findings import SCHEDULE
from .cell import CELL_KINDS
from .encoding import SCHEMA
from .finding import EVIDENCE_KINDS, RECORD_KINDS, SUMMARY_KINDS
from .modes import MODES, mode_kinds
from .run import RUN_KINDS

_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", dict: "object", list: "array"}


def run_schema() -> dict[str, Any]:
    """The schema of ``run.json``, which ``--json`` writes too."""
    modes = {mode: {"anyOf": [_object(mode_kinds(mode)), {"type": "null"}]} for mode in MODES}
    cell = _object(CELL_KINDS, modes)
    return _file("run.json", _object(RUN_KINDS, {"cells": {"type": "array", "items": cell}}, ["cells"]))


def finding_schema() -> dict[str, Any]:
    """The schema of ``findings/NNNN.json``.  Evidence may have other keys; most of these may be missing."""
    more = {
        "found_by": _object(SUMMARY_KINDS["found_by"]),
        "schedule": _kind(SCHEDULE),
        "evidence": _object(EVIDENCE_KINDS),
        "count": {"type": "integer"},
    }
    kinds = {**SUMMARY_KINDS["finding"], **RECORD_KINDS}
    return _file("findings/NNNN.json", _object(kinds, more, ["schedule", "evidence"]))


def _file(name: str, body: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "integer", "minimum": 1, "maximum": SCHEMA}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"RaceBench: {name}",
        **body,
        "properties": {"schema": schema, **body["properties"]},
        "required": ["schema", *body["required"]],
    }


def _object(
    kinds: Mapping[str, tuple[Any, ...]], more: Mapping[str, Any] | None = None, required: Sequence[str] = ()
) -> dict[str, Any]:
    """A key with (kind,) is required; one with (kind, default) may be missing."""
    properties = {key: _kind(kind[0], nullable=kind[1:] == (None,)) for key, kind in kinds.items()}
    must = [key for key, kind in kinds.items() if len(kind) == 1]
    return {"type": "object", "properties": {**properties, **(more or {})}, "required": [*must, *required]}


def _kind(kind: Any, nullable: bool = False) -> dict[str, Any]:
    """The schema of a kind, as ``bounds.fits`` defines kinds."""
    if kind is object:
        return {}
    if isinstance(kind, type):
        return {"type": [_TYPES[kind], "null"] if nullable else _TYPES[kind]}
    if isinstance(kind, tuple):
        return {"type": "array", "items": _kind(kind[0]), "minItems": len(kind), "maxItems": len(kind)}
    if isinstance(kind, list):
        return {"type": "array", "items": _kind(kind[0])}
    if str in kind:
        return {"type": "object", "additionalProperties": _kind(kind[str])}
    properties = {key.removesuffix("?"): _kind(one) for key, one in kind.items()}
    return {"type": "object", "properties": properties, "required": [key for key in kind if key[-1] != "?"]}
