"""The example campaign in reports/example, and what its pages quote from it.

``python -m tests.example`` fills the pages afresh from the stored campaign:
what stands between ``<!-- cells -->`` or ``<!-- finding PROTOCOL RULE -->`` and
``<!-- end -->`` is written by nobody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from racebench.records import FindingRecord
from racebench.report.finding import finding_body
from racebench.report.terminal import plain

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "reports" / "example"
DISCOVERIES = EXAMPLE / "discoveries"
PAGES = sorted(page for page in DISCOVERIES.glob("*.md") if page.name != "README.md")
SHIPPED = (
    "baseline",
    "lockfree_priority",
    "connect_hw_irq",
    "creation_guard",
    "route_while_running",
    "new_vgic",
)
"""The protocols that Xen shipped, oldest first."""

_WIDTH = 78
_BLOCK = re.compile(r"<!-- (cells|index|finding \w+ [\w.]+) -->\n.*?<!-- end -->", re.DOTALL)


@cache
def campaign() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EXAMPLE / "run.json").read_text(encoding="utf-8"))
    return loaded


def broken(page: str | None = None) -> list[dict[str, Any]]:
    """The cells of protocols that Xen shipped in which a rule broke, oldest protocol first.

    ``page`` keeps those that it tells of: a pair's, if the claims have a
    scenario of the same name.
    """
    cells = [cell for cell in campaign()["cells"] if cell["found"] and cell["protocol"] in SHIPPED]
    cells.sort(key=lambda cell: SHIPPED.index(cell["protocol"]))
    if page is None:
        return cells
    pairs = [cell for cell in cells if cell["scenario"] == f"pairs/{page}"]
    return pairs or [cell for cell in cells if cell["scenario"] == page]


def findings_of(cell: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in cell["findings"]:
        yield path, json.loads((EXAMPLE / path).read_text(encoding="utf-8"))


def filled(page: Path) -> str:
    """The text of ``page`` with everything that it quotes as stored today."""
    return _BLOCK.sub(lambda match: _block(page.stem, match[1]), page.read_text(encoding="utf-8"))


def _block(scenario: str, what: str) -> str:
    if what == "index":
        quoted = _index()
    elif what == "cells":
        quoted = _cells(scenario)
    else:
        _, protocol, rule = what.split()
        quoted = _quoted(scenario, protocol, rule)
    return f"<!-- {what} -->\n{quoted}\n<!-- end -->"


def _cells(scenario: str) -> str:
    rows = ["| protocol | what breaks | evidence |", "|---|---|---|"]
    for cell in broken(scenario):
        links = ", ".join(f"[{Path(path).stem}](../{path})" for path, _ in findings_of(cell))
        rows.append(f"| `{cell['protocol']}` | {', '.join(cell['found'])} | {links} |")
    return "\n".join(rows)


def _index() -> str:
    rows = [f"| | {' | '.join(f'`{protocol}`' for protocol in SHIPPED)} |", "|---" * (len(SHIPPED) + 1) + "|"]
    for page in PAGES:
        found = {cell["protocol"]: cell["found"] for cell in broken(page.stem)}
        marks = ("<br>".join(found.get(protocol, ["-"])) for protocol in SHIPPED)
        rows.append(f"| [{page.stem}]({page.name}) | {' | '.join(marks)} |")
    return "\n".join(rows)


def _quoted(scenario: str, protocol: str, rule: str) -> str:
    [cell] = [cell for cell in broken(scenario) if cell["protocol"] == protocol]
    path, finding = next(found for found in findings_of(cell) if found[1]["rule"] == rule)
    blocks = finding_body(FindingRecord.from_json(finding, path))
    lines = "\n\n".join(plain([block], _WIDTH) for block in blocks)
    lines = "\n".join(line.rstrip() for line in lines.split("\n"))
    return (
        f"`{rule}` under `{protocol}`:\n\n```text\n{lines}\n```\n\n"
        f"    racebench replay reports/example/{path}"
    )


def main() -> None:
    for page in (*PAGES, DISCOVERIES / "README.md"):
        page.write_text(filled(page), encoding="utf-8")


if __name__ == "__main__":
    main()
