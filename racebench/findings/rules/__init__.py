"""Rules: one file for each family; a rule's family is the part of its name before the dot.

A module here has ``RULES`` (the meaning of each rule and its words in reports) and the
``KIND`` of fault that a broken rule is, CORRUPTION if it does not say.  Its public functions
are audits, which look for broken rules in a machine at rest.  Nothing else needs to be edited.
A family is imported when one of its rules is asked for.

Rules and audits belong to the layer that imports nothing of the machine: reports,
scenarios and the engines need the rules, and do not know the vGIC.  An audit
only uses attributes of the machine, so the machine's types are not known here.
"""

from __future__ import annotations

import enum
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from .. import Broken

# No builtin named as a family is used below: once imported, ``list`` is a module here.


class Kind(enum.Enum):
    """The kind of fault of a broken rule, the worst first."""

    CORRUPTION = "corruption"
    CRASH = "crash"
    DEADLOCK = "deadlock"
    PREDICTION = "prediction"


class Rule(NamedTuple):
    """``broken_when`` defines the rule, ``word`` is for a matrix, ``clause`` for a sentence.

    ``kind`` is set if it differs from the family's.  ``benign``: code breaks the rule wherever
    it runs, though nothing goes wrong by it.  An execution that breaks no other rule passes,
    and the search for schedules that pass ignores this rule.
    """

    broken_when: str
    word: str
    clause: str
    kind: Kind | None = None
    benign: bool = False


Machine = Any
"""A ``racebench.vgic.state.Machine``."""
Rows = Sequence[Any]
"""A ``racebench.vgic.state.VirqRow`` for each vIRQ of the machine."""
Audit = Callable[[Machine, Rows], Iterator[Broken]]
"""The broken rules of a machine at rest.  All threads have ended, so an audit takes no lock."""


@cache
def families() -> tuple[str, ...]:
    """The families, by name."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def rules() -> dict[str, Rule]:
    """Every rule of RaceBench, by its name."""
    return {name: rule for family in families() for name, rule in _module(family).RULES.items()}


def audits() -> tuple[Audit, ...]:
    """The audits of every family."""
    modules = map(_module, families())
    return tuple(
        audit
        for module in modules
        for name, audit in vars(module).items()
        if isinstance(audit, FunctionType) and audit.__module__ == module.__name__ and name[0] != "_"
    )


def known(name: str) -> Rule | None:
    """The rule of that name; None if it is one of a program's own."""
    family = name.partition(".")[0]
    return _module(family).RULES.get(name) if family in families() else None


def kind(name: str) -> Kind:
    """The kind of fault of a broken rule; CORRUPTION if neither the rule nor its family has one."""
    rule, family = known(name), name.partition(".")[0]
    if rule is not None and rule.kind is not None:
        return rule.kind
    return getattr(_module(family), "KIND", Kind.CORRUPTION) if family in families() else Kind.CORRUPTION


def is_benign(name: str) -> bool:
    """Whether code breaks the rule wherever it runs: see ``Rule``."""
    rule = known(name)
    return rule is not None and rule.benign


def _module(family: str) -> ModuleType:
    return import_module(f"{__name__}.{family}")
