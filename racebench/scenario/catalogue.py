"""The bundled scenarios, and which of them run a function of Xen."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .. import vgic
from ..errors import UsageError, meant
from ..vgic.system import CODE
from .scenario import Scenario
from .selection import bundled

_FOLDERS = {
    "thread": "the claims of the mailing list thread of May 2017",
    "pairs": "pairs of operations on one vIRQ or vCPU",
    "found": "what fuzz met, and nobody had written",
    "history": "past bugs of Xen, before and after their fix",
    "hammer": "threads that draw from a mix, on one domain that lives on",
}
_CITES = re.compile(r"\bXen: (.+? @ [\w.-]*\w\^?(?: and [0-9a-f]{10}\b)?)")


class Group(NamedTuple):
    """The scenarios of one folder."""

    name: str
    what: str
    scenarios: Sequence[Scenario]


def groups() -> list[Group]:
    """The bundled scenarios, those of the claims first."""
    found: dict[str, list[Scenario]] = {name: [] for name in _FOLDERS}
    for scenario in bundled():
        found.setdefault(scenario.path.parent.name, []).append(scenario)
    return [Group(name, _FOLDERS.get(name, ""), found[name]) for name in found if found[name]]


def running(function: str, others: Sequence[str] = ()) -> tuple[list[str], list[Scenario]]:
    """Where Xen has ``function``, as the model cites it, and the scenarios that may run it.

    Runs nothing: the functions that an operation may call are those that its code names,
    those that their code names, and so on.  UsageError if no scenario may run it; ``others``
    are words that the user may have meant.
    """
    model = _Model()
    cites = {scenario.name: model.cited(scenario) for scenario in bundled()}
    known = set().union(*cites.values())
    word = re.compile(rf"(?<!\w){re.escape(function)}(?!\w)")
    cited = sorted(filter(word.search, known))
    if not cited:
        names = {name for source in known for name in re.findall(r"\w{6,}", source)}
        # A part of a name is a better guess than a name that is like it.
        close = sorted(name for name in names if function in name)[:3]
        hint = meant(function, sorted(names), f"Or choose one of {', '.join(others)}.")
        if close:
            hint = f"Did you mean {' or '.join(close)}?"
        raise UsageError(f"no bundled scenario runs a function of Xen named {function!r}. {hint}")
    return cited, [scenario for scenario in bundled() if not cites[scenario.name].isdisjoint(cited)]


class _Model:
    """The functions of the vGIC by name: the names that each one mentions, and what it cites."""

    def __init__(self) -> None:
        self._mentioned: dict[str, set[str]] = {}
        self._cited: dict[str, set[str]] = {}
        for file in sorted(Path(vgic.__file__).parent.rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    inside = list(ast.walk(node))
                    mentioned = {n.attr for n in inside if isinstance(n, ast.Attribute)}
                    mentioned |= {n.id for n in inside if isinstance(n, ast.Name)}
                    self._mentioned.setdefault(node.name, set()).update(mentioned)
                    cited = _CITES.findall(ast.get_docstring(node) or "")
                    self._cited.setdefault(node.name, set()).update(cited)

    def cited(self, scenario: Scenario) -> set[str]:
        """The functions of Xen that ``scenario`` may run; a Python scenario cites some in its own file."""
        threads: list[Sequence[object]] = list(scenario.threads.values())
        threads += scenario.mix.named().values() if scenario.mix is not None else ()
        threads += [ops for program in scenario.variants.values() for ops in program.parts.values()]
        operations = {str(op).partition(" ")[0] for ops in threads for op in ops}
        functions = self._reached([name for op in operations for name in CODE[op].__code__.co_names])
        own = _CITES.findall(scenario.path.read_text(encoding="utf-8")) if scenario.variants else ()
        return set().union(own, *(self._cited[name] for name in functions))

    def _reached(self, names: list[str]) -> set[str]:
        found: set[str] = set()
        while names:
            name = names.pop()
            if name in self._mentioned and name not in found:
                found.add(name)
                names += self._mentioned[name]
        return found
