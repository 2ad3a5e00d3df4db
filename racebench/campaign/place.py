"""A target's place: how another process finds it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ..scenario.scenario import Scenario, load_scenario
from ..scenario.selection import Choice, Target, load_protocol


class Place(NamedTuple):
    """Where the scenario and protocol of a target were loaded from."""

    scenario: str
    path: str
    id: str
    spec: str

    @staticmethod
    def of(target: Target) -> Place:
        scenario, choice = target.scenario, target.choice
        return Place(scenario.name, str(scenario.path), choice.id, choice.spec)

    def target(self) -> Target:
        """The target, loaded again: runs its Python files, if it has any."""
        code: Any = load_protocol(self.spec).code if ":" in self.spec else self.spec
        return Target(scenario_at(self.scenario, self.path), Choice(self.id, self.spec, code))


def scenario_at(name: str, path: str) -> Scenario:
    """The scenario of the file ``path`` under the name that its results have: runs it, if it is Python."""
    return replace(load_scenario(Path(path)), name=name)
