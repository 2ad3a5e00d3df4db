"""The place of a target: another process loads the target from it, and runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..scenario.scenario import Scenario, load_scenario
from ..scenario.selection import Choice, Target, load_protocol
from .cell import CellResult, Earlier, Plan
from .child import Link


class Place(NamedTuple):
    """Where the scenario and protocol of a target were loaded from.

    A scenario without code is sent ``whole``, because it was read and checked already.
    """

    scenario: str
    path: str
    id: str
    spec: str
    whole: Scenario | None = None

    @staticmethod
    def of(target: Target) -> Place:
        scenario, choice = target.scenario, target.choice
        whole = None if scenario.variants else scenario
        return Place(scenario.name, str(scenario.path), choice.id, choice.spec, whole)

    def target(self) -> Target:
        """Load the target; this runs its Python files again, if it has any."""
        code: Any = load_protocol(self.spec).code if ":" in self.spec else self.spec
        scenario = self.whole or scenario_at(self.scenario, self.path)
        return Target(scenario, Choice(self.id, self.spec, code))


def in_child(link: Link, place: Place, plan: Plan, seconds: float, earlier: Earlier) -> CellResult:
    """Run ``run_cell`` in a child of a pool; its messages are sent to the parent."""
    # Imported only here: the parent names this function, and the engines take a moment to load.
    from .cell_run import run_cell

    return run_cell(place.target(), plan, seconds, link.tell, link.stop, earlier)


def scenario_at(name: str, path: str) -> Scenario:
    """Load the scenario in ``path`` under ``name``, as in its results; runs the file if it is Python."""
    return load_scenario(Path(path))._replace(name=name)
