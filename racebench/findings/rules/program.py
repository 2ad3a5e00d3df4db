"""Errors of the code under test itself."""

from __future__ import annotations

from . import Kind, Rule

KIND = Kind.CRASH
RULES = {
    "program.error": Rule("the code under test raised", "error", "the program raises"),
}
