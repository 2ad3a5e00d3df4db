"""The plan of a run, stored so that ``run --resume DIR`` can continue it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..bounds import fits
from ..errors import ResultError, ScenarioError, UsageError
from ..records import MODES
from ..scenario.scenario import Scenario, load_scenario
from ..scenario.selection import Choice, Target, bundled_file, is_bundled, stored_file, stored_name
from ..vgic import protocol_ids
from .cell import Plan

_LARGEST, _LONGEST_S = 10**12, 1e10
_KEPT = ("seed", "preemptions", "strategy", "executions")
_PLAN = {
    **dict.fromkeys(("seed", "preemptions?", "executions?"), int),
    "strategy": str,
    "modes": [str],
    "seconds": float,
    "cells": [dict.fromkeys(("scenario", "file", "protocol"), str)],
}


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
    record = {"seed": 0, "strategy": Plan().strategy, **record}
    wrong = "of the wrong shape" if not fits(record, _PLAN) else _wrong(record)
    if wrong:
        raise ResultError(f"{folder}: its plan cannot be read ({wrong}). Name the scenarios again.")
    plan = Plan(tuple(record["modes"]), **{key: record[key] for key in _KEPT if key in record})
    seconds = float(record["seconds"])
    loaded: dict[tuple[str, str], Scenario] = {}
    targets = []
    for row in record["cells"]:
        name, file, protocol = row["scenario"], row["file"], row["protocol"]
        if (name, file) not in loaded:
            loaded[name, file] = _scenario(name, file, folder)
        scenario = loaded[name, file]
        if protocol not in protocol_ids() and protocol not in scenario.variants:
            what = f"{folder}: needs code, which only a command line may name"
            raise UsageError(f"{what}. Name the scenarios again, and --protocol {protocol}.")
        targets.append(Target(scenario, Choice(protocol, protocol, protocol)))
    return targets, plan, seconds


def _wrong(record: Mapping[str, Any]) -> str:
    """The first part of a stored plan that no command line could have given; empty if there is none."""
    # Imported only here, because the engines take a moment to load.
    from ..engine.strategies import STRATEGIES

    limits = {"seconds": _LONGEST_S, **dict.fromkeys(("seed", "preemptions", "executions"), _LARGEST)}
    wrong = [key for key, most in limits.items() if not 0 <= (record.get(key) or 0) <= most]
    wrong += ["strategy"] if record["strategy"] not in STRATEGIES else []
    wrong += ["modes"] if not set(record["modes"]) <= set(MODES) else []
    wrong += ["a cell without a name" for row in record["cells"] if not (row["scenario"] and row["file"])]
    return next(iter(wrong), "")


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
