"""The plan of a run, stored so that ``run --resume DIR`` can continue it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import ResultError, ScenarioError, UsageError
from ..records import MODES
from ..scenario.scenario import Scenario, load_scenario
from ..scenario.selection import Choice, Target, bundled_file, is_bundled, stored_file, stored_name
from ..vgic import protocol_ids
from .cell import Plan

_LARGEST, _LONGEST_S = 10**12, 1e10
_KEPT = ("seed", "preemptions", "strategy", "executions")


def plan_row(target: Target) -> dict[str, str]:
    """The cell of ``target``, as a stored plan names it."""
    scenario, choice = target.scenario, target.choice
    return {"scenario": scenario.name, "file": stored_name(scenario.path), "protocol": choice.spec}


def plan_record(rows: Iterable[Mapping[str, str]], plan: Plan, seconds: float) -> dict[str, Any]:
    """The plan as JSON, which ``planned`` reads back; ``rows`` are made by ``plan_row``."""
    kept = {key: getattr(plan, key) for key in _KEPT}
    return {"modes": list(plan.modes), **kept, "seconds": seconds, "cells": list(rows)}


def planned(record: Mapping[str, Any] | None, folder: Path) -> tuple[list[Target], Plan, float]:
    """Read the targets, the plan and the seconds of a stored run.

    Code is never run because a stored file names it: UsageError if a cell
    needs a Python file that is not bundled, which must then be named again.
    """
    if record is None:
        raise UsageError(f"{folder}: does not say what it was to do. Name the scenarios again.")
    kept = {key: record[key] for key in _KEPT if key in record}
    try:
        plan = _checked(Plan(tuple(record["modes"]), **kept))
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
    targets = []
    for name, file, protocol in rows:
        if (name, file) not in loaded:
            loaded[name, file] = _scenario(name, file, folder)
        scenario = loaded[name, file]
        if protocol not in protocol_ids() and protocol not in scenario.variants:
            what = f"{folder}: needs code, which only a command line may name"
            raise UsageError(f"{what}. Name the scenarios again, and --protocol {protocol}.")
        targets.append(Target(scenario, Choice(protocol, protocol, protocol)))
    return targets, plan, seconds


def _checked(plan: Plan) -> Plan:
    """Return ``plan`` if a command line could have given it; else ValueError names the wrong option."""
    # Imported only here, because the engines take a moment to load.
    from ..engine.strategies import STRATEGIES

    limits = {"preemptions": plan.preemptions, "executions": plan.executions}
    given = {"seed": plan.seed, **{name: limit for name, limit in limits.items() if limit is not None}}
    for name, number in given.items():
        if not isinstance(number, int) or not 0 <= number <= _LARGEST:
            raise ValueError(name)
    if plan.strategy not in STRATEGIES:
        raise ValueError("strategy")
    if not set(plan.modes) <= set(MODES):
        raise ValueError("modes")
    return plan


def _scenario(name: str, file: str, folder: Path) -> Scenario:
    """Load the scenario ``name`` of the run; a bundled one from wherever RaceBench is installed now."""
    try:
        path = stored_file(file)
        if not path.exists():
            path = bundled_file(name) or path
        needs_code = path.suffix != ".toml" and not is_bundled(path)
    except (OSError, ValueError, RuntimeError) as error:
        # The name is too long, has a NUL, or leads to a ring of links.
        what = f"{folder}: its plan cannot be read (no file can have the name {file[:100]!r})"
        raise ResultError(f"{what}. Name the scenarios again.") from error
    if needs_code:
        what = f"{folder}: needs code, which only a command line may name"
        raise UsageError(f"{what}. Name {path} again, with the other scenarios.")
    try:
        return load_scenario(path)._replace(name=name)
    except ScenarioError as error:
        raise UsageError(f"{folder}: cannot go on: {error}") from error
