"""The stored form of a whole run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..bounds import Fields
from .cell import Cell
from .encoding import NOTHING, SCHEMA, VERSION, encoded
from .finding import FindingRecord

# The keys in JSON: the kind of each value, and the default if the key may be missing.
# A key of a table with ``MORE`` is left out if its value is empty.
_RUN: Mapping[str, tuple[Any, ...]] = {
    "racebench": (str, ""), "host": (dict, NOTHING), "options": (dict, NOTHING),
    "wall_s": (float, None), "interrupted": (bool, False),
}  # fmt: skip
_RUN_MORE: Mapping[str, tuple[Any, ...]] = {"torn": (int, 0), "fuzz": (dict, None), "against": (list, ())}
RUN_KINDS = {**_RUN, **_RUN_MORE}


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run, as in run.json.

    ``options`` is the run's plan.  ``torn`` counts lines of its journal that a
    kill has cut, ``fuzz`` is the result of ``racebench fuzz``, ``against`` says what is new
    with each protocol that was compared with a parent.
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
        """Read ``value``; ResultError names ``place`` and says what is wrong."""
        stored = Fields(value, place)
        cells = enumerate(stored.get("cells", list))
        read = tuple(Cell.from_json(cell, f"{place}: cells[{i}]") for i, cell in cells)
        return Run(read, **stored.all(RUN_KINDS))


class Progress(NamedTuple):
    """The collisions and failures of a cell in a span of time; the span is in seconds."""

    since: float
    until: float
    collisions: int
    failures: int


class StoredRun(NamedTuple):
    """The content of a run's folder; ``findings`` by their paths in it."""

    run: Run
    findings: Mapping[str, FindingRecord]

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self.run.cells

    def of(self, cell: Cell) -> list[FindingRecord]:
        """The findings of ``cell``."""
        return [record for record in self.findings.values() if record.cell == cell.name]
