"""What is stored of a cell and of a finding: plain JSON objects, and the verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..bounds import beyond
from ..findings import CellVerdict, Finding, Result, miss_bound
from ..scenario.scenario import Scenario
from ..scenario.selection import Choice, is_bundled, stored_name
from ..trace import schedule_from_json


@dataclass(frozen=True)
class Cell:
    """A scenario under a protocol, or one of its variants."""

    scenario: Scenario
    choice: Choice

    @property
    def name(self) -> tuple[str, str]:
        return self.scenario.name, self.choice.id


@dataclass
class Merged:
    """One signature over all modes; ``seen`` counts it by mode.

    ``scenario`` is the one that its schedule belongs to, if not the cell's.
    """

    finding: Finding
    seen: dict[str, int] = field(default_factory=dict)
    scenario: Scenario | None = None


@dataclass(frozen=True)
class Earlier:
    """What a run that was cut off has stored of a cell: its findings, and what its modes had come to."""

    findings: Sequence[Mapping[str, Any]] = ()
    modes: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """What it has taken by then."""
        return float(sum(mode["seconds"] for mode in self.modes.values()))


def finding_record(cell: Cell, threads: list[str], merged: Merged) -> dict[str, Any]:
    """A finding as ``findings/NNNN.json`` has it, but for the schema.

    ``source`` is the TOML scenario as it stood, so that the file can be
    replayed elsewhere; ``replay_args`` names the code, if any, that replay
    must be given on the command line.
    """
    finding, scenario, choice = merged.finding, merged.scenario or cell.scenario, cell.choice
    replay_args: list[str] = []
    if not scenario.text and not is_bundled(scenario.path):
        replay_args += ["--scenario", str(scenario.path)]
    if choice.spec != choice.id:
        replay_args += ["--protocol", choice.spec]
    return {
        "rule": finding.rule,
        "signature": finding.signature,
        "summary": finding.summary,
        "scenario": scenario.name,
        "protocol": choice.id,
        "found_by": {
            "mode": finding.mode,
            "strategy": finding.strategy,
            "seed": finding.seed,
            "after": finding.after,
        },
        "threads": threads,
        "schedule": [list(step) for step in finding.schedule],
        "evidence": readable(finding.evidence),
        "count": max(1, sum(merged.seen.values())),
        "seen": dict(merged.seen),
        "scenario_file": stored_name(scenario.path),
        "source": scenario.text,
        "replay_args": replay_args,
    }


def readable(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """``evidence`` that may be stored: what reading would refuse is said to be left out."""
    told = {}
    for key, value in evidence.items():
        wrong = beyond(value, numbers=False)
        told[key] = f"left out: {wrong}" if wrong else value
    return told


def finding_from_record(record: Mapping[str, Any]) -> Finding:
    """The finding in a stored record that has passed ``results.read_finding``."""
    by = record.get("found_by") or {}
    seed, after = by.get("seed"), by.get("after")
    return Finding(
        record["rule"],
        record["signature"],
        record["summary"],
        schedule_from_json(record["schedule"], "stored finding"),
        record["evidence"],
        record.get("count", 1),
        str(by.get("mode", "")),
        str(by.get("strategy", "")),
        seed if isinstance(seed, int) else 0,
        after if isinstance(after, int) else 0,
    )


def cell_record(
    cell: Cell,
    rules: Iterable[str],
    modes: Mapping[str, dict[str, Any]],
    proved: bool | None,
    interrupted: bool,
    error: str = "",
    unseen: Sequence[str] = (),
) -> dict[str, Any]:
    """A cell as run.json has it; the paths of its findings are still to come.

    ``unseen`` says what keeps its answer from being whole.
    """
    scenario, protocol = cell.scenario, cell.choice.id
    expected, allowed = sorted(scenario.expected(protocol)), sorted(scenario.allowed(protocol))
    found = sorted(set(rules))
    cut_off = interrupted or bool(error) or bool(unseen) or not _ran(modes)
    verdict = judge(expected, allowed, found, proved and not unseen, cut_off)
    record = {
        "scenario": scenario.name,
        "protocol": protocol,
        "expected": expected,
        "allowed": allowed,
        "found": found,
        "verdict": verdict.value,
        "stress": modes.get("stress"),
        "verify": modes.get("verify"),
        "explore": modes.get("explore"),
        "settles": list(scenario.settles),
        "hammered": scenario.mix is not None,
        "findings": [],
    }
    if unseen:
        record["unseen"] = list(unseen)
    return {**record, "error": error} if error else record


def _ran(modes: Mapping[str, dict[str, Any]]) -> bool:
    """Whether there was any execution at all: of nothing there is no answer."""
    return any(mode.get("executions") or mode.get("collisions") for mode in modes.values())


def verify_record(result: Result) -> dict[str, Any]:
    """The ``verify`` of a cell."""
    return {
        "complete": result.complete,
        "executions": result.executions,
        "preemption_bound": result.stats.get("preemption_bound"),
        "done": result.stats.get("done"),
        "seconds": round(result.seconds, 3),
    }


def explore_record(result: Result, strategy: str) -> dict[str, Any]:
    """The ``explore`` of a cell."""
    return {
        "strategy": strategy,
        "executions": result.executions,
        "failures": result.failures,
        "first_failure": result.first_failure,
        "seconds": round(result.seconds, 3),
        "strategies": result.stats.get("strategies"),
    }


def stress_record(result: Result, total: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ``stress`` of a cell: one more slice on top of the ``total`` that it has."""
    before = total or {"collisions": 0, "failures": 0, "first_failure_s": None, "seconds": 0.0}
    first = before["first_failure_s"]
    if first is None and result.first_failure_s is not None:
        first = before["seconds"] + result.first_failure_s
    collisions = before["collisions"] + result.executions
    failures = before["failures"] + result.failures
    return {
        "collisions": collisions,
        "failures": failures,
        "first_failure_s": first,
        "seconds": round(before["seconds"] + result.seconds, 3),
        "miss_bound": miss_bound(collisions, failures),
    }


def judge(
    expected: Collection[str],
    allowed: Collection[str],
    found: Collection[str],
    proved: bool | None,
    cut_off: bool = False,
) -> CellVerdict:
    """A cell against its expectation.

    ``proved``: whether every schedule was covered; None if that was not asked
    for.  Only a proof makes an expected rule ``missed``; and where a proof was
    asked for, nothing less makes a cell as expected.
    """
    if set(found) - set(expected) - set(allowed):
        return CellVerdict.UNEXPECTED
    if proved is False or (cut_off and not proved):
        return CellVerdict.UNKNOWN
    if set(expected) - set(found):
        return CellVerdict.MISSED if proved else CellVerdict.UNKNOWN
    return CellVerdict.AS_EXPECTED
