"""Parse durations and counts of a command line."""

from __future__ import annotations

import argparse
import re

_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """Seconds in ``500ms``, ``30s``, ``10m`` or ``2h``."""
    match = _DURATION.fullmatch(text)
    if match is None or not float(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration: write 500ms, 30s, 10m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def natural(text: str) -> int:
    """A whole number, 0 or more."""
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    value = natural(text)
    if not value:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return value
