"""Rules: a file a family; a rule's family is the part of its name before the dot.

A module here has ``RULES``, what each rule means and how reports say it, the
``KIND`` of fault that breaking one is, and perhaps ``AUDITS`` of a machine at rest,
which look for it; nothing else needs to be edited.  A family is imported when
one of its rules is asked for.

Rules and audits stand among the words, which import nothing of the machine: reports,
scenarios and the engines need what a rule is, and do not know the vGIC.  An audit
asks a machine for what it has, so its types are not known here.
"""

from __future__ import annotations

import enum
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from .. import Broken

# No builtin named as a family is used below: once imported, ``list`` is a module here.


class Kind(enum.Enum):
    """What kind of fault it is when a rule breaks, the worst first."""

    CORRUPTION = "corruption"
    CRASH = "crash"
    DEADLOCK = "deadlock"
    PREDICTION = "prediction"


class Rule(NamedTuple):
    """``broken_when`` says when, ``word`` is for a matrix, ``clause`` for a sentence.

    ``kind`` is its own, if not its family's.  ``benign``: code breaks it wherever it
    runs, though nothing goes wrong by it.  Who breaks no other rule passes, and nobody asks
    which schedules do not break it.
    """

    broken_when: str
    word: str
    clause: str
    kind: Kind | None = None
    benign: bool = False


Machine = Any
"""A ``racebench.vgic.state.Machine``."""
Rows = Sequence[Any]
"""A ``racebench.vgic.structures.VirqRow`` for each vIRQ of the machine."""
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
    return tuple(audit for family in families() for audit in getattr(_module(family), "AUDITS", ()))


def known(name: str) -> Rule | None:
    """The rule of that name; None if it is a program's own."""
    family = name.partition(".")[0]
    return _module(family).RULES.get(name) if family in families() else None


def kind(name: str) -> Kind:
    """What kind of fault breaking it is; of a rule in no family, something is corrupted."""
    rule, family = known(name), name.partition(".")[0]
    if rule is not None and rule.kind is not None:
        return rule.kind
    found: Kind = _module(family).KIND if family in families() else Kind.CORRUPTION
    return found


def is_benign(name: str) -> bool:
    """Whether code breaks the rule wherever it runs: see ``Rule``."""
    rule = known(name)
    return rule is not None and rule.benign


def _module(family: str) -> ModuleType:
    return import_module(f"{__name__}.{family}")
