"""A race test as a cell: what the merged report and a stored run have of it.

Its scenario is the test's own id, its protocol the mode that it runs in.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..campaign.told import explore_record, judge, readable, stress_record, verify_record
from ..findings import CellVerdict, Finding, Result
from ..program import Program

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class RaceTest:
    """One run of a race test that ``tell`` hears of, as it hears of a scenario's visits."""

    nodeid: str
    mode: str
    expect: Collection[str]
    tell: Tell
    allow: Collection[str] = ()

    def begin(self) -> None:
        self.tell({"begin": self._stub()})

    def over(self, program: Program, result: Result, answered: bool, strategy: str) -> dict[str, Any]:
        """Everything of ``result``, whose record it is; ``answered`` says that a proof was not cut short."""
        found = sorted({finding.rule for finding in result.findings})
        for finding in result.findings:
            self.tell({"finding": finding_record(self.nodeid, program, self.mode, finding)})
        proved = answered if self.mode == "verify" else None
        cut_off = result.interrupted or bool(result.stats.get("unseen"))
        judged = judge(sorted(self.expect), sorted(self.allow), found, proved, cut_off)
        # Within a bound there is an answer, but no proof.
        proof = self.mode == "verify" and (result.complete or not answered)
        record = {**self._stub(), "found": found, "verdict": judged.value, "proof": proof}
        if self.mode == "verify":
            record["verify"] = verify_record(result)
        elif self.mode == "stress":
            record["stress"] = stress_record(result)
        else:
            record["explore"] = explore_record(result, strategy)
        if result.stats.get("unseen"):
            record.update(unseen=list(result.stats["unseen"]))
            if judged is CellVerdict.AS_EXPECTED:
                record["verdict"] = CellVerdict.UNKNOWN.value
        seen = {finding.signature: {self.mode: finding.count} for finding in result.findings}
        self.tell({"visit": record, "seen": seen})
        return record

    def unexpected(self, record: Mapping[str, Any], known: Collection[str]) -> None:
        """The test fails: who reports it draws the findings, but those that are ``known`` from before."""
        self.tell({"failed": {"record": record, "known": list(known), "stands": ""}})

    def failed(self, error: Exception) -> None:
        """The program itself is wrong."""
        self.tell({"visit": {**self._stub(), "error": str(error)}, "seen": {}})

    def _stub(self) -> dict[str, Any]:
        return {
            "scenario": self.nodeid,
            "protocol": self.mode,
            "expected": sorted(self.expect),
            "allowed": sorted(self.allow),
            "found": [],
            "verdict": CellVerdict.UNKNOWN.value,
            "stress": None,
            "verify": None,
            "explore": None,
            "settles": [],
            "hammered": False,
            "proof": self.mode == "verify",
            "findings": [],
        }


def finding_record(scenario: str, program: Program, mode: str, finding: Finding) -> Mapping[str, Any]:
    """A finding of a program that is no scenario; ``rerun`` is what runs the test again."""
    record = {
        "rule": finding.rule,
        "signature": finding.signature,
        "summary": finding.summary,
        "scenario": scenario,
        "protocol": mode,
        "found_by": {
            "mode": finding.mode,
            "strategy": finding.strategy,
            "seed": finding.seed,
            "after": finding.after,
        },
        "threads": list(program.actors),
        "schedule": [list(step) for step in finding.schedule],
        "evidence": readable(finding.evidence),
        "count": finding.count,
        "seen": {mode: finding.count},
    }
    return {**record, "rerun": shlex.join(["pytest", scenario])} if "::" in scenario else record
