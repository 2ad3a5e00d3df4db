"""A whole run as it is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..bounds import Fields
from .cell import Cell
from .encoding import NOTHING, SCHEMA, VERSION, encoded
from .finding import FindingRecord

# The keys in JSON: what kind of value each has, and the default of those that may be missing.
# Where there is a table with ``MORE``, its keys are left out if they have nothing to say.
_RUN: Mapping[str, tuple[Any, ...]] = {
    "racebench": (str, ""), "host": (dict, NOTHING), "options": (dict, NOTHING),
    "wall_s": (float, None), "interrupted": (bool, False),
}  # fmt: skip
_RUN_MORE: Mapping[str, tuple[Any, ...]] = {"torn": (int, 0), "fuzz": (dict, None), "against": (list, ())}
RUN_KINDS = {**_RUN, **_RUN_MORE}


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run, as run.json has it.

    ``options`` is what it was to do.  ``torn`` counts lines of its journal that a
    kill has cut, ``fuzz`` has what ``racebench fuzz`` met, ``against`` what is new
    with each protocol that was held against another.
    """

    cells: tuple[Cell, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    racebench: str = VERSION
    wall_s: float | None = None
    interrupted: bool = False
    torn: int = 0
    fuzz: Mapping[str, Any] | None = None
    against: Sequence[Any] = ()

    def to_json(self) -> dict[str, Any]:
        cells = [cell.to_json() for cell in self.cells]
        return {"schema": SCHEMA, **encoded(self, _RUN), "cells": cells, **encoded(self, (), _RUN_MORE)}

    @staticmethod
    def from_json(value: Any, place: str) -> Run:
        """ResultError names what is wrong with ``value``, which ``place`` holds."""
        stored = Fields(value, place)
        cells = enumerate(stored.get("cells", list))
        read = tuple(Cell.from_json(cell, f"{place}: cells[{i}]") for i, cell in cells)
        return Run(read, **stored.all(RUN_KINDS))


class StoredRun(NamedTuple):
    """A run's folder: ``findings`` by their paths in it."""

    run: Run
    findings: Mapping[str, FindingRecord]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self.run.cells

    def of(self, cell: Cell) -> list[FindingRecord]:
        """The findings of ``cell``."""
        return [record for record in self.findings.values() if record.cell == cell.name]
