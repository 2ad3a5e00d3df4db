"""``--race-replay FINDING``: replay a stored finding's schedule in its own test or item."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ..campaign import ablation, modes
from ..campaign.results import read_finding
from ..errors import RaceBenchError, ReplayDiverged
from ..program import Program
from ..records import FindingRecord
from ..report.testrun import panels
from ..scenario.scenario import scenario_from_text
from ..scenario.selection import Target
from .race_test import RaceFailed

SAID = "race-replay"
"""The property of a test's report that holds the outcome of the replay."""

_WIDTH = 100
_RECORD = pytest.StashKey[FindingRecord]()


def configure(config: pytest.Config) -> None:
    """Read the finding; UsageError if it cannot be replayed.  The command line need not name its test."""
    path = config.getoption("race_replay")
    try:
        record = config.stash[_RECORD] = read_finding(Path(path))
    except RaceBenchError as error:
        raise pytest.UsageError(f"--race-replay: {error}") from error
    if not record.finding.schedule:
        raise pytest.UsageError(f"--race-replay: {path}: holds no schedule: it was not reproduced.")
    if not config.getoption("file_or_dir"):
        if "::" not in record.scenario:
            raise pytest.UsageError(f"--race-replay: {path}: name the file of scenario {record.scenario!r}.")
        config.args = [str(config.rootpath / record.scenario)]


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep only the test, or the scenario's item, to which the finding belongs."""
    record = config.stash[_RECORD]
    kept = [item for item in items if _is_of(record, item)]
    if not kept and not config.getoption("collectonly"):
        what = " x ".join(record.cell) if "::" not in record.scenario else record.scenario
        raise pytest.UsageError(f"--race-replay: {what} is not among what is collected. Name its file.")
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept[:1]


def _is_of(record: FindingRecord, item: Any) -> bool:
    if hasattr(getattr(item, "function", None), "racebench_mode"):
        return bool(item.nodeid == record.scenario)
    return hasattr(item, "target") and item.target.name == record.cell


def scenario_program(item: Any) -> Program:
    """The program of a scenario's item; the stored text of the scenario is used if there is one."""
    record: FindingRecord = item.config.stash[_RECORD]
    target: Target = item.target
    scenario = target.scenario
    if record.source:
        scenario = scenario_from_text(Path(f"{record.scenario}.toml"), record.source)
    return scenario.program(target.choice.code)


def replay(item: pytest.Item, program: Program, fine: Collection[str]) -> None:
    """Replay, and fail if the schedule breaks the rule again and the rule is not in ``fine``."""
    __tracebackhide__ = True
    record, path = item.config.stash[_RECORD], item.config.getoption("race_replay")
    rule = record.finding.rule
    try:
        result = modes.replay(ablation.as_found(program, record, path), record.finding.schedule)
    except ReplayDiverged as error:
        item.user_properties.append((SAID, "diverged"))
        raise RaceFailed(f"{path}: the program is not what it was: {error}") from None
    again = [finding for finding in result.findings if finding.rule == rule]
    item.user_properties.append((SAID, "reproduced" if again else "not reproduced"))
    if again and rule not in fine:
        shown = [("", replace(record, finding=finding, rerun="", replay_args=())) for finding in again]
        raise RaceFailed(f"{rule}, as in {path}\n{panels(shown, _WIDTH)}")
