"""What a run was to do, written down so that ``run --resume DIR`` can go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from ..engine import STRATEGIES
from ..errors import ResultError, ScenarioError, UsageError
from ..scenario.scenario import Scenario, load_scenario
from ..scenario.selection import Choice, bundled_file, is_bundled, stored_file, stored_name
from ..vgic import protocol_ids
from .cell import Plan
from .told import Cell

_MODES, _LARGEST, _LONGEST_S = ("verify", "stress", "explore"), 10**12, 1e10


def plan_record(cells: Sequence[Cell], plan: Plan, seconds: float) -> dict[str, Any]:
    """JSON for ``planned`` to read back."""
    rows = [
        {"scenario": c.scenario.name, "file": stored_name(c.scenario.path), "protocol": c.choice.spec}
        for c in cells
    ]
    return {**asdict(plan), "modes": list(plan.modes), "seconds": seconds, "cells": rows}


def planned(record: Mapping[str, Any] | None, folder: Path) -> tuple[list[Cell], Plan, float]:
    """The cells, plan and seconds of a stored run.

    Code is never run because a stored file names it: UsageError if a cell
    needs a Python file that is not bundled, which must then be named again.
    """
    if record is None:
        raise UsageError(f"{folder}: does not say what it was to do. Name the scenarios again.")
    known = {f.name: record[f.name] for f in fields(Plan) if f.name in record}
    try:
        plan = _checked(Plan(**{**known, "modes": tuple(known["modes"])}))
        seconds = float(record["seconds"])
        if not 0 <= seconds <= _LONGEST_S:
            raise ValueError(f"{seconds} seconds")
        if not all(r["scenario"] and r["file"] for r in record["cells"]):
            raise ValueError("a cell without a name")
        rows = [(str(r["scenario"]), str(r["file"]), str(r["protocol"])) for r in record["cells"]]
    except (KeyError, TypeError, ValueError) as error:
        what = f"{folder}: its plan cannot be read ({error!r})"
        raise ResultError(f"{what}. Name the scenarios again.") from error
    loaded: dict[tuple[str, str], Scenario] = {}
    cells = []
    for name, file, protocol in rows:
        if (name, file) not in loaded:
            loaded[name, file] = _scenario(name, file, folder)
        scenario = loaded[name, file]
        if protocol not in protocol_ids() and protocol not in scenario.variants:
            what = f"{folder}: needs code, which only a command line may name"
            raise UsageError(f"{what}. Name the scenarios again, and --protocol {protocol}.")
        cells.append(Cell(scenario, Choice(protocol, protocol, protocol)))
    return cells, plan, seconds


def _checked(plan: Plan) -> Plan:
    """``plan`` if the command line could have said it; ValueError names what it could not."""
    limits = {"preemptions": plan.preemptions, "executions": plan.executions}
    given = {"seed": plan.seed, **{name: limit for name, limit in limits.items() if limit is not None}}
    for name, number in given.items():
        if not isinstance(number, int) or not 0 <= number <= _LARGEST:
            raise ValueError(name)
    if plan.strategy not in list(STRATEGIES):
        raise ValueError("strategy")
    if not set(plan.modes) <= set(_MODES):
        raise ValueError("modes")
    return plan


def _scenario(name: str, file: str, folder: Path) -> Scenario:
    """What ``name`` was in the run; a bundled one is found wherever RaceBench is installed now."""
    try:
        path = stored_file(file)
        if not path.exists():
            path = bundled_file(name) or path
        needs_code = path.suffix != ".toml" and not is_bundled(path)
    except (OSError, ValueError, RuntimeError) as error:
        # Too long, with a NUL, a ring of links: the system does not even look.
        what = f"{folder}: its plan cannot be read (no file can have the name {file[:100]!r})"
        raise ResultError(f"{what}. Name the scenarios again.") from error
    if needs_code:
        what = f"{folder}: needs code, which only a command line may name"
        raise UsageError(f"{what}. Name {path} again, with the other scenarios.")
    try:
        return replace(load_scenario(path), name=name)
    except ScenarioError as error:
        raise UsageError(f"{folder}: cannot go on: {error}") from error
