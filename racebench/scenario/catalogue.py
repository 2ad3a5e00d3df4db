"""What there is to run: the bundled scenarios, and which of them run a function of Xen."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .. import engine
from ..errors import UsageError
from ..program import Program
from .scenario import Scenario
from .selection import bundled

WHAT = ("scenarios", "protocols", "strategies", "rules")
"""What ``list`` lists by a name of its own; any other word is a function of Xen."""

_FOLDERS = {
    "thread": "the claims of the mailing list thread of May 2017",
    "pairs": "every pair of operations on one vIRQ",
    "history": "past bugs of Xen, before and after their fix",
    "hammer": "threads that draw from a mix, on one domain that lives on",
}
_SHAPES = ("baseline", "connect_hw_irq", "new_vgic")
"""Protocols between which the functions differ, not only their locks."""


@dataclass(frozen=True)
class Group:
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


def running(function: str) -> tuple[list[str], list[Scenario]]:
    """Where Xen has ``function``, as the model cites it, and the scenarios that run it.

    Runs a few schedules of each bundled scenario.  UsageError if none runs it.
    """
    known: dict[str, set[str]] = {}
    for scenario in bundled():
        for source in _sources(scenario):
            known.setdefault(source, set()).add(scenario.name)
    word = re.compile(rf"(?<!\w){re.escape(function)}(?!\w)")
    cited = sorted(source for source in known if word.search(source))
    if not cited:
        names = {name for source in known for name in re.findall(r"\w{6,}", source)}
        close = difflib.get_close_matches(function, sorted(names), 1)
        hint = f"Did you mean {close[0]}?" if close else f"Or choose one of {', '.join(WHAT)}."
        raise UsageError(f"no bundled scenario runs a function of Xen named {function!r}. {hint}")
    names = set().union(*(known[source] for source in cited))
    return cited, [scenario for scenario in bundled() if scenario.name in names]


def _sources(scenario: Scenario) -> set[str]:
    return {source for program in _programs(scenario) for source in engine.sources_of(program).values()}


def _programs(scenario: Scenario) -> Iterator[Program]:
    if scenario.mix is not None:
        return
    protocols = scenario.protocols()
    if not scenario.variants:
        protocols = [p for p in protocols if p in _SHAPES] or protocols[:1]
    yield from map(scenario.program, protocols)
