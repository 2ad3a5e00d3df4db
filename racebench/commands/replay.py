"""``racebench replay``: run a stored schedule again, step by step."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text

from .. import vgic
from ..campaign import ablation, modes
from ..campaign.results import read_finding
from ..campaign.stop import Stop
from ..errors import ReplayDiverged, ScenarioError, UsageError
from ..findings import Finding, Result
from ..records import FindingRecord
from ..report.finding import finding_panel
from ..report.terminal import show
from ..report.text import clean
from ..scenario.scenario import Scenario, scenario_from_text
from ..scenario.selection import bundled, load_protocol, select
from .shared import arguments
from .shared.screen import Screen

ABOUT = "run a stored schedule again, step by step"
EXAMPLE = "replay reports/example/findings/0001.json --trace"


def declare(add: arguments.Add) -> None:
    add("finding", type=arguments.path, metavar="FINDING.json")
    add("--trace", action="store_true", help="show every step")
    add(
        "--scenario",
        metavar="FILE",
        help="the Python scenario it was found in, since a stored file runs no code",
    )
    add("--protocol", metavar="FILE:NAME", help="your own protocol that it was found with")


def act(args: argparse.Namespace, stop: Stop) -> int:
    record = read_finding(args.finding)
    schedule = record.finding.schedule
    if not schedule:
        what = f"{args.finding}: holds no schedule: it was not reproduced under control"
        raise UsageError(f"{what}. Show it with `racebench explain`.")
    if record.rerun:
        return _in_pytest(args, record)
    scenario = _scenario(args, record)
    code = _protocol(args, record, scenario)
    screen = Screen()
    try:
        with stop.interruptible():
            program = ablation.as_found(scenario.program(code), record, str(args.finding))
            result = modes.replay(program, schedule)
    except ReplayDiverged as error:
        screen.print(Text(f"diverged: {clean(error)}", style="bold red"))
        for thread, op, obj in error.recent:
            screen.print(Text(f"  before it: {clean(thread)} {clean(op)} {clean(obj)}", style="dim"))
        return 1
    if args.trace:
        evidence = {**record.finding.evidence, "steps": result.stats["steps"]}
        shown = replace(record, finding=replace(record.finding, evidence=evidence))
        show(screen, [finding_panel(shown, str(args.finding), full=True)])
    return _say(screen, record.finding, result)


class _Watch:
    """A pytest plugin that keeps the result of the replay."""

    said = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.said = dict(report.user_properties).get("race-replay", self.said)


def _in_pytest(args: argparse.Namespace, record: FindingRecord) -> int:
    """Replay in pytest, because fixtures and parameters make the test's program."""
    if not args.scenario:
        raise UsageError(f"{args.finding}: its program is in a test. Add --scenario '{record.scenario}'.")
    try:
        import pytest
    except ImportError as error:
        raise UsageError(f"{args.finding}: its program is in a test. Install pytest.") from error
    watch = _Watch()
    pytest.main([args.scenario, f"--race-replay={args.finding}", "--no-header", "-q"], plugins=[watch])
    screen = Screen()
    if not watch.said:
        raise UsageError(f"{args.finding}: pytest did not run {args.scenario}. See what it says above.")
    good = watch.said == "reproduced"
    screen.print(
        Text(f"{watch.said}: {clean(record.finding.rule)}", style="bold green" if good else "bold red")
    )
    return 0 if good else 1


def _scenario(args: argparse.Namespace, record: FindingRecord) -> Scenario:
    """The scenario as it was when the finding was stored; code only if it is named or bundled."""
    if args.scenario:
        return select([args.scenario])[0]
    if record.source:
        try:
            return scenario_from_text(Path(f"{record.scenario}.toml"), record.source)
        except ScenarioError as error:
            place = f"source: {error.place}" if error.place else "source"
            raise ScenarioError(str(args.finding), place, error.what, error.remedy) from error
    for scenario in bundled():
        if scenario.name == record.scenario:
            return scenario
    hint = " ".join(record.replay_args or ("--scenario", "FILE"))
    raise UsageError(f"{args.finding}: scenario {record.scenario!r} is code. Add {hint}.")


def _protocol(args: argparse.Namespace, record: FindingRecord, scenario: Scenario) -> Any:
    """The protocol's class, or the name of a bundled protocol or of a variant of ``scenario``."""
    if args.protocol:
        return load_protocol(args.protocol).code
    if scenario.initial is not None and record.protocol not in vgic.protocol_ids():
        hint = " ".join(record.replay_args or ("--protocol", "FILE:Name"))
        raise UsageError(f"{args.finding}: protocol {record.protocol!r} is not bundled. Add {hint}.")
    return record.protocol


def _say(screen: Screen, finding: Finding, result: Result) -> int:
    """Print whether ``result`` shows the finding's rule broken again; return the exit status."""
    for found in result.findings:
        if found.rule == finding.rule:
            steps, what = len(finding.schedule), f"{clean(found.rule)}: {clean(found.summary)}"
            screen.print(Text(f"reproduced in {steps} steps: {what}", style="bold green"))
            return 0
    others = ", ".join(clean(f.rule) for f in result.findings) or "no rule broke"
    screen.print(Text(f"not reproduced: the schedule ran to its end, but {others}", style="bold red"))
    return 1
