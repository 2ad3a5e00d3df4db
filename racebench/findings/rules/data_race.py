"""Unordered accesses."""

from __future__ import annotations

from . import Kind, Rule

KIND = Kind.PREDICTION
RULES = {
    "data_race": Rule(
        "two accesses, one a write, unordered, on a field that Xen does not access atomically",
        "race",
        "two accesses race",
    ),
}
