"""A race test as a cell, for the merged report and the stored run.

Its scenario is the test's own id, its protocol the mode in which it runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from ..findings import Finding, Result, Verdict
from ..program import Program
from ..records import Cell, FindingRecord, ModeResult

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class RaceTest:
    """One run of a race test; ``tell`` gets the same messages as from a scenario's visits."""

    nodeid: str
    mode: str
    expect: Collection[str]
    allow: Collection[str]
    tell: Tell

    def begin(self) -> None:
        self.tell({"begin": self._cell().to_json()})

    def over(self, program: Program, result: Result, strategy: str) -> Cell:
        """Report all of ``result``, and return its cell."""
        for finding in result.findings:
            record = finding_record(self.nodeid, program, self.mode, finding)
            self.tell({"found": record.to_json()})
        # A bound on preemptions is the author's choice: within it there is an answer, but no proof.
        answered = result.stats.get("done") == 1 and result.verdict is not Verdict.UNKNOWN
        modes: dict[str, Any] = {self.mode: ModeResult.of(self.mode, result, strategy)}
        cell = replace(
            self._cell(),
            found=tuple(sorted({finding.rule for finding in result.findings})),
            proof=self.mode == "verify" and (result.complete or not answered),
            unseen=tuple(result.stats.get("unseen", ())),
            partial=result.interrupted,
            **modes,
        ).judged()
        self._done(cell, {finding.signature: {self.mode: finding.count} for finding in result.findings})
        return cell

    def unexpected(self, cell: Cell, known: Collection[str]) -> None:
        """Report that the test fails; the reporting process draws the findings that are not ``known``."""
        self.tell({"failed": {"cell": cell.to_json(), "known": list(known), "stands": ""}})

    def failed(self, error: Exception) -> None:
        """Report that the program itself is wrong."""
        self._done(replace(self._cell(), error=str(error)), {})

    def _done(self, cell: Cell, seen: dict[str, dict[str, int]]) -> None:
        self.tell({"done": cell.to_json(), "seen": seen})

    def _cell(self) -> Cell:
        rules = tuple(sorted(self.expect)), tuple(sorted(self.allow))
        return Cell(self.nodeid, self.mode, *rules, proof=self.mode == "verify")


def finding_record(scenario: str, program: Program, mode: str, finding: Finding) -> FindingRecord:
    """A finding of a program that is no scenario; ``rerun`` is the command that runs the test again."""
    in_test = "::" in scenario
    rerun = shlex.join(["pytest", scenario]) if in_test else ""
    where = ("--scenario", scenario) if in_test else ()
    seen = {mode: finding.count}
    return FindingRecord(finding, scenario, mode, tuple(program.actors), seen, replay_args=where, rerun=rerun)
