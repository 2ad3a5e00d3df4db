"""A stored run as the file formats get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .terminal import Distinct, distinct


@dataclass(frozen=True)
class Stored:
    """``findings`` are (path inside the run's folder, finding) pairs; ``at`` is when it was stored.

    ``history`` says of a signature in which runs it was seen.
    """

    run: Mapping[str, Any]
    findings: Sequence[tuple[str, Mapping[str, Any]]]
    claims: Sequence[Any]
    at: datetime
    history: Mapping[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> Sequence[Mapping[str, Any]]:
        cells: Sequence[Mapping[str, Any]] = self.run["cells"]
        return cells

    def distinct(self) -> list[Distinct]:
        """One a signature, those that nobody expected first."""
        return distinct(self.run, self.findings)

    def of_cell(self, cell: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        name = cell["scenario"], cell["protocol"]
        return [pair for pair in self.findings if (pair[1]["scenario"], pair[1]["protocol"]) == name]

    def told_claims(self) -> list[Any]:
        return [c for c in self.claims if c.verdict != "not tested"]
