"""Visits and their merged run as plain text, for a test runner's report."""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from .facts import sentence
from .finding import finding_panel
from .matrix import matrix
from .terminal import distinct, summary
from .text import clean, count, counted, joined, why

_MOST_PANELS = 5
_MOST_LINES = 40

Pairs = Sequence[tuple[str, Mapping[str, Any]]]


def rendered(parts: Sequence[RenderableType], width: int, color: bool = False) -> str:
    """``parts`` below one another, ``width`` columns wide."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=color, highlight=False, legacy_windows=False)
    for part in parts:
        console.print(part)
    return out.getvalue().rstrip("\n")


def panels(findings: Pairs, width: int) -> str:
    """A panel for each finding; ``findings`` are (path to replay or "", finding)."""
    parts: list[RenderableType] = [finding_panel(f, path, width) for path, f in findings[:_MOST_PANELS]]
    if len(findings) > _MOST_PANELS:
        parts.append(Text(f"and {counted(len(findings) - _MOST_PANELS, 'finding')} more"))
    return rendered(parts, width)


def failure(
    record: Mapping[str, Any], findings: Pairs, known: Collection[str], stands: str, width: int
) -> str:
    """Why a visit failed: the verdict, and a panel for each finding that nobody expected.

    ``known`` signatures were shown before, in another visit: a line each.
    """
    fine = {*record["expected"], *record["allowed"]}
    odd = [(path, f) for path, f in findings if f["rule"] not in fine]
    new = [(path, f) for path, f in odd if f["signature"] not in known]
    blocks = [verdict(record)]
    blocks += [f"again: {clean(f['rule'])}: {sentence(f)}" for _, f in odd if f["signature"] in known]
    blocks += [panels(new, width)] if new else []
    if stands:
        blocks.append(f"it outlived its deadline and was interrupted. Where every thread stood:\n\n{stands}")
    return "\n".join(blocks)


def verdict(record: Mapping[str, Any]) -> str:
    """A visit's verdict in one line: what was expected, what was found, what was proved."""
    scenario, protocol = clean(record["scenario"]), clean(record["protocol"])
    expected = joined(record["expected"]) or "nothing"
    found = joined(record["found"]) or "nothing"
    text = f"{record['verdict']}: {scenario} x {protocol}: expected {expected}, found {found}"
    if why(record):
        return f"{text}: {clean(why(record))}"
    verify = record.get("verify")
    if verify is not None:
        share = "every schedule" if verify["complete"] else "not every schedule"
        text += f"; {share} was run ({counted(verify['executions'], 'execution')})"
    return text


def race_report(run: Mapping[str, Any], findings: Pairs, width: int, color: bool) -> str:
    """A merged run: verdicts, a line a distinct finding, the sum, where it is."""
    parts: list[RenderableType] = [matrix(run["cells"], width)] if run["cells"] else []
    told = distinct(run, findings)
    if told:
        parts.append(Text(f"\n{counted(len(told), 'distinct finding')}:"))
    for one in told[:_MOST_LINES]:
        finding = one.finding
        cell = f"{clean(finding['scenario'])} x {clean(finding['protocol'])}"
        line = f"  {clean(finding['rule'])}: {cell}, {count(finding['count'])} times"
        if one.also:
            line += f", and in {counted(len(one.also), 'other cell')}"
        parts.append(Text(f"{line}: {clean(one.path)}" if one.path else line))
    if len(told) > _MOST_LINES:
        parts.append(Text(f"  and {len(told) - _MOST_LINES} more"))
    parts.append(Text(("\n" if told else "") + summary(run), style="bold"))
    text = rendered(parts, width, color)
    if run.get("dir"):
        # To be copied, so never wrapped.
        text += f"\nsaved in {clean(run['dir'])}\nracebench explain {clean(run['dir'])}"
    return text
