"""A project's defaults: the table ``[tool.racebench]`` of pyproject.toml in the current folder."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ...bounds import fits
from ...campaign.quantities import duration
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
        read[key] = _READ[key](key, value)
    return Settings(**read)


def _wrong(key: str, what: str) -> UsageError:
    return UsageError(f"{FILE}: tool.racebench{key and '.'}{key}: {what}.")


def _time(key: str, value: Any) -> float:
    try:
        return duration(value if isinstance(value, str) else "")
    except argparse.ArgumentTypeError as error:
        raise _wrong(key, "is not a duration. Write 500ms, 30s, 10m or 2h") from error


def _jobs(key: str, value: Any) -> int:
    if not fits(value, int) or isinstance(value, bool) or value < 1:
        raise _wrong(key, "is not a whole number, 1 or more")
    return int(value)


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if not fits(value, [str]) or not all(value):
        raise _wrong(key, "is not a list of texts")
    return tuple(value)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(key, "is not the name of a folder")
    return value


_READ: Mapping[str, Callable[[str, Any], Any]] = {
    "time": _time, "jobs": _jobs, "paths": _texts, "protocols": _texts, "reports": _text,
}  # fmt: skip
