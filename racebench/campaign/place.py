"""A cell's place: how another process finds it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..scenario.scenario import load_scenario
from ..scenario.selection import Choice, load_protocol
from .told import Cell


@dataclass(frozen=True)
class Place:
    """Where a cell's scenario and protocol were loaded from."""

    scenario: str
    path: str
    id: str
    spec: str

    @staticmethod
    def of(cell: Cell) -> Place:
        scenario, choice = cell.scenario, cell.choice
        return Place(scenario.name, str(scenario.path), choice.id, choice.spec)

    def cell(self) -> Cell:
        """The cell, loaded again: runs its Python files, if it has any."""
        code: Any = load_protocol(self.spec).code if ":" in self.spec else self.spec
        scenario = replace(load_scenario(Path(self.path)), name=self.scenario)
        return Cell(scenario, Choice(self.id, self.spec, code))
