"""A finished run in the terminal: verdicts, claims, findings, where it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from .claims import claims_table
from .finding import finding_panel
from .matrix import matrix
from .text import clean, count, duration

MOST_PANELS = 12


def show_run(
    console: Console,
    run: Mapping[str, Any],
    claims: Sequence[Any],
    findings: Sequence[tuple[str, Mapping[str, Any]]],
) -> None:
    """Print a run: ``findings`` are (path, finding) pairs, unexpected ones first."""
    cells = run["cells"]
    console.print()
    console.print(Rule("verdicts", align="left", style="dim"))
    console.print(matrix(cells, console.width))
    tested = [c for c in claims if c.verdict != "not tested"]
    if tested:
        console.print()
        console.print(Rule("claims", align="left", style="dim"))
        console.print(claims_table(tested))
    if findings:
        console.print()
        title = f"findings ({len(findings)} distinct)"
        console.print(Rule(title, align="left", style="dim"))
    for path, finding in findings[:MOST_PANELS]:
        console.print(finding_panel(finding, path))
    if len(findings) > MOST_PANELS:
        where = clean(run.get("dir") or "RUN_DIR")
        more = len(findings) - MOST_PANELS
        console.print(Text(f"and {more} more: racebench explain {where}"))
    console.print(Text(summary(run), style="bold"))
    if run.get("dir"):
        console.print(Text(f"saved in {clean(run['dir'])}"))


def summary(run: Mapping[str, Any]) -> str:
    """The run in a line."""
    cells = run["cells"]
    good = sum(c["verdict"] == "as_expected" for c in cells)
    collisions = sum(c["stress"]["collisions"] for c in cells if c.get("stress"))
    text = f"{good} of {len(cells)} cells as expected"
    if collisions:
        text += f", {count(collisions)} collisions"
    text += f", {duration(run.get('wall_s'))}"
    return ("interrupted: " if run.get("interrupted") else "") + text
