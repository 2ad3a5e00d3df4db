"""Common parts of all records: the schema, and how fields are written."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import ResultError

VERSION = "0.1.0"
SCHEMA = 1
NOTHING: Mapping[str, Any] = {}


def has_gil() -> bool:
    """Whether this Python has the GIL; versions before 3.13 cannot say, and all have it."""
    found: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
    return found


def check_schema(value: Mapping[str, Any], place: str) -> None:
    """ResultError unless this RaceBench can read the schema that ``value`` names."""
    schema = value.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ResultError(f"{place}: schema: missing or not a number. Give a file that RaceBench stored.")
    if schema > SCHEMA:
        what = f"{place}: schema {schema} is newer than this RaceBench reads ({SCHEMA})"
        raise ResultError(f"{what}. Upgrade RaceBench.")


def encoded(record: Any, keys: Iterable[str], more: Iterable[str] = ()) -> dict[str, Any]:
    """Return these fields for JSON; fields of ``more`` only if they are not empty."""
    values = {key: getattr(record, key) for key in (*keys, *more)}
    kept = {key: value for key, value in values.items() if value or key in keys}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in kept.items()}
