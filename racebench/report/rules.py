"""The rules in words: one word for a matrix, a clause for a sentence, and the look of each kind of fault."""

from __future__ import annotations

from collections.abc import Mapping

from ..findings.rules import kind, known
from .text import clean
from .tree import Look

SIGNS: Mapping[Look, str] = {
    Look.CORRUPTION: "#",
    Look.CRASH: "x",
    Look.DEADLOCK: "o",
    Look.PREDICTION: "~",
}
"""Signs before a rule's word, so that the kinds can be told apart without colours; worst first."""


def family(rule: str) -> Look:
    """The look of the rule's kind of fault."""
    return Look(kind(rule).value)


def gravity(rule: str) -> int:
    """0 for the worst."""
    return list(SIGNS).index(family(rule))


def word(rule: str) -> str:
    """``# mapping``: the sign of its kind, and a word."""
    ours = known(rule)
    said = ours.word if ours else clean(rule).rpartition(".")[2].replace("_", " ")
    return f"{SIGNS[family(rule)]} {said}"


def clause(rule: str) -> str:
    """``the mapping is corrupted``."""
    ours = known(rule)
    return ours.clause if ours else f"{clean(rule)} is broken"
