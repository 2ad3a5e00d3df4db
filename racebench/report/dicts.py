"""The records of a run, made from the plain JSON values that callers pass today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..findings import Finding

Value = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModeResult:
    executions: int
    failures: int = 0
    first_failure: float | None = None
    seconds: float = 0.0
    complete: bool = False
    preemption_bound: int | None = None
    done: float | None = None
    strategies: Value | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    scenario: str
    protocol: str
    expected: Sequence[str]
    allowed: Sequence[str]
    found: Sequence[str]
    verdict: str
    modes: Mapping[str, ModeResult]
    unseen: Sequence[str] = ()
    error: str = ""
    partial: bool = False

    @property
    def name(self) -> tuple[str, str]:
        return self.scenario, self.protocol

    @property
    def stress(self) -> ModeResult | None:
        return self.modes.get("stress")

    @property
    def verify(self) -> ModeResult | None:
        return self.modes.get("verify")

    @property
    def explore(self) -> ModeResult | None:
        return self.modes.get("explore")

    @property
    def seconds(self) -> float:
        return sum(mode.seconds for mode in self.modes.values())


@dataclass(frozen=True, slots=True)
class FindingRecord:
    finding: Finding
    scenario: str
    protocol: str
    threads: Sequence[str]
    seen: Mapping[str, int]
    count: int
    scenario_file: str
    replay_args: Sequence[str]
    rerun: str

    @property
    def cell(self) -> tuple[str, str]:
        return self.scenario, self.protocol


@dataclass(frozen=True, slots=True)
class Run:
    cells: Sequence[Cell]
    options: Value = field(default_factory=dict)
    host: Value = field(default_factory=dict)
    racebench: str = ""
    wall_s: float | None = None
    interrupted: bool = False
    torn: int = 0


def _object(value: Any) -> Value:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and 0 <= value < 1e12 else None


def _mode(value: Value) -> ModeResult:
    bound = value.get("preemption_bound")
    return ModeResult(
        value["collisions"] if "collisions" in value else value["executions"],
        value.get("failures", 0),
        _number(value.get("first_failure_s")),
        _number(value.get("seconds")) or 0.0,
        bool(value.get("complete")),
        bound if isinstance(bound, int) else None,
        _number(value.get("done")),
        _object(value.get("strategies")),
    )


def cell(value: Value) -> Cell:
    told = {key: value[key] for key in ("scenario", "protocol", "expected", "allowed", "found", "verdict")}
    modes = {mode: _mode(value[mode]) for mode in ("stress", "verify", "explore") if value.get(mode)}
    more = {key: value[key] for key in ("unseen", "error") if key in value}
    return Cell(**told, modes=modes, **more, partial=value.get("partial") is True)


def finding(value: Value | FindingRecord) -> FindingRecord:
    if isinstance(value, FindingRecord):
        return value
    by, many = value.get("found_by") or {}, value.get("count", 1)
    keys = value["rule"], value["signature"], value["summary"]
    schedule = tuple((thread, op, obj) for thread, op, obj in value["schedule"])
    return FindingRecord(
        Finding(*keys, schedule, value["evidence"], many, by.get("mode", "?"), by.get("strategy", "")),
        value["scenario"],
        value["protocol"],
        value.get("threads", ()),
        value.get("seen") or {by.get("mode", "?"): many},
        many,
        value.get("scenario_file", ""),
        value.get("replay_args", ()),
        value.get("rerun", ""),
    )


def pairs(values: Iterable[tuple[str, Value | FindingRecord]]) -> list[tuple[str, FindingRecord]]:
    return [(path, finding(value)) for path, value in values]


def run(value: Value) -> Run:
    return Run(
        tuple(map(cell, value["cells"])),
        _object(value.get("options")),
        _object(value.get("host")),
        str(value.get("racebench", "?")),
        _number(value.get("wall_s")),
        bool(value.get("interrupted")),
        value.get("torn", 0),
    )
