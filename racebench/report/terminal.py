"""A finished run in the terminal: verdicts, claims, findings, where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from .claims import claims_table
from .facts import label
from .finding import finding_panel
from .matrix import matrix
from .strategies import strategies_table
from .text import clean, count, counted, duration

MOST_PANELS = 12


@dataclass
class Distinct:
    """One signature: its finding, the path that replays it, the other cells it was seen in.

    What is confirmed in one cell and proved unreachable in another is two.
    """

    path: str
    finding: Mapping[str, Any]
    also: list[str] = field(default_factory=list)


def show_run(
    console: Console,
    run: Mapping[str, Any],
    claims: Sequence[Any],
    findings: Sequence[tuple[str, Mapping[str, Any]]],
    history: Mapping[str, str] | None = None,
    *,
    brief: bool = False,
) -> None:
    """Print a run; ``findings`` are (path inside the run's folder, finding) pairs.

    ``history`` says of a signature in which runs it was seen; ``brief`` leaves
    out what is as expected.
    """
    cells = run["cells"]
    if brief:
        cells = [cell for cell in cells if cell["verdict"] != "as_expected"]
        bad = {(cell["scenario"], cell["protocol"]) for cell in cells}
        findings = [pair for pair in findings if (pair[1]["scenario"], pair[1]["protocol"]) in bad]
        claims = ()
    if cells:
        _heading(console, "verdicts")
        console.print(matrix(cells, console.width))
    strategies = strategies_table(cells)
    if strategies is not None:
        _heading(console, "strategies")
        console.print(strategies)
    _claims(console, claims)
    told = distinct(run, findings)
    if told:
        _heading(console, counted(len(told), "distinct finding"))
    for one in told[:MOST_PANELS]:
        seen = (history or {}).get(one.finding["signature"], "")
        console.print(finding_panel(one.finding, one.path, console.width, also=one.also, history=seen))
    if len(told) > MOST_PANELS:
        console.print(Text(f"{len(told) - MOST_PANELS} more:"))
        for one in told[MOST_PANELS:]:
            command = f"racebench explain {clean(one.path)}" if one.path else ""
            console.print(Text(f"{clean(one.finding['rule'])}  {command}"), soft_wrap=True)
    console.print()
    console.print(Text(summary(run), style="bold"))
    if run.get("dir"):
        folder = clean(run["dir"])
        console.print(Text(f"saved in {folder}"), soft_wrap=True)
        if unfinished(run):
            console.print(Text(f"go on with: racebench run --resume {folder}"), soft_wrap=True)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Rule(text, align="left", style="dim"))


def _claims(console: Console, claims: Sequence[Any]) -> None:
    tested = [c for c in claims if c.verdict != "not tested"]
    if not tested:
        return
    _heading(console, "claims")
    console.print(claims_table(tested))
    others = [clean(c.id) for c in claims if c.verdict == "not tested"]
    if others:
        console.print(Text(f"not tested here: {', '.join(others)}", style="dim"))


def distinct(run: Mapping[str, Any], findings: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Distinct]:
    """One a signature, those that nobody expected first; of one signature the shortest schedule."""
    fine = {
        (c["scenario"], c["protocol"], rule) for c in run["cells"] for rule in (*c["expected"], *c["allowed"])
    }
    place = {(c["scenario"], c["protocol"]): i for i, c in enumerate(run["cells"])}
    folder = run.get("dir")

    def expected(finding: Mapping[str, Any]) -> bool:
        return (finding["scenario"], finding["protocol"], finding["rule"]) in fine

    def best(pair: tuple[str, Mapping[str, Any]]) -> tuple[bool, bool, int]:
        finding = pair[1]
        return expected(finding), not finding["schedule"], len(finding["schedule"])

    def order(one: Distinct) -> tuple[bool, int, str]:
        cell = one.finding["scenario"], one.finding["protocol"]
        return expected(one.finding), place.get(cell, len(place)), one.finding["rule"]

    told: dict[tuple[str, str], Distinct] = {}
    for path, finding in sorted(findings, key=best):
        key = finding["signature"], label(finding)
        one = told.get(key)
        if one is None:
            shown = str(PurePath(folder) / path) if folder and path else path
            told[key] = Distinct(shown, finding)
        else:
            one.also.append(f"{finding['scenario']} x {finding['protocol']}")
    return sorted(told.values(), key=order)


def cut_off(cell: Mapping[str, Any]) -> bool:
    """Whether ``cell`` was not run to the end, by no fault of its own."""
    return cell.get("partial", False) is True


def unfinished(run: Mapping[str, Any]) -> int:
    """How many cells of its plan a run that was cut off has not done."""
    options = run.get("options")
    planned = options.get("cells") if isinstance(options, Mapping) else None
    if not run.get("interrupted") or not isinstance(planned, list):
        return 0
    lacking = sum(cut_off(cell) for cell in run["cells"])
    return max(0, len(planned) - len(run["cells"])) + lacking


def summary(run: Mapping[str, Any]) -> str:
    """The run in a line."""
    cells = run["cells"]
    good = sum(c["verdict"] == "as_expected" for c in cells)
    # One that was cut off has not missed anything yet.
    judged = len(cells) - sum(c["verdict"] == "unknown" and cut_off(c) for c in cells)
    text = f"{count(good)} of {counted(judged, 'cell')} as expected"
    collisions = sum(c["stress"]["collisions"] for c in cells if c.get("stress"))
    if collisions:
        text += f", {counted(collisions, 'collision')}"
    executions = sum(c[m]["executions"] for c in cells for m in ("verify", "explore") if c.get(m))
    if executions:
        text += f", {counted(executions, 'controlled execution')}"
    if run.get("wall_s"):
        text += f", {duration(run['wall_s'])}"
    if unfinished(run):
        text += f", {counted(unfinished(run), 'cell')} not run to the end"
    if run.get("torn"):
        text += f", {counted(run['torn'], 'torn line')} in the journal"
    return ("interrupted: " if run.get("interrupted") else "") + text
