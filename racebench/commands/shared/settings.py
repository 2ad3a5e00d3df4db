"""A project's defaults: the table ``[tool.racebench]`` of pyproject.toml in the current folder."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ...campaign.quantities import duration, positive
from ...errors import UsageError

FILE = Path("pyproject.toml")


class Settings(NamedTuple):
    """``paths`` and ``protocols`` are used when the command line names none; this may run their code.

    ``time`` is in seconds, or None; ``reports`` is the folder in which new run folders are made.
    """

    time: float | None = None
    jobs: int = 1
    paths: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    reports: str = "reports"


def settings() -> Settings:
    """Read the project's settings; UsageError if a setting is unknown or wrong."""
    # Without the file, or with one that is not TOML, the defaults hold.
    try:
        return _settings(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Settings()


@cache
def _settings(text: str) -> Settings:
    """Parse ``text``; cached, because several options of a command line need it."""
    try:
        table = tomllib.loads(text).get("tool", {}).get("racebench", {})
    except (ValueError, RecursionError, AttributeError):
        return Settings()
    if not isinstance(table, Mapping):
        raise _wrong("", "is no table")
    read: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _READ:
            raise _wrong(key, f"is unknown. Choose from {', '.join(_READ)}")
        convert, what = _READ[key]
        try:
            read[key] = convert(value)
        except (TypeError, argparse.ArgumentTypeError) as error:
            raise _wrong(key, what) from error
    return Settings(**read)


def _wrong(key: str, what: str) -> UsageError:
    return UsageError(f"{FILE}: tool.racebench{key and '.'}{key}: {what}.")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError
    return tuple(map(_text, value))


_READ: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    "time": (duration, "is not a duration. Write 500ms, 30s, 10m or 2h"),
    # The repr of a text has quotation marks, so only a number gets through.
    "jobs": (lambda value: positive(repr(value)), "is not a whole number, 1 or more"),
    "paths": (_texts, "is not a list of texts"),
    "protocols": (_texts, "is not a list of texts"),
    "reports": (_text, "is not the name of a folder"),
}
"""For each key, a function that reads its value or raises an error, and what is wrong then."""
