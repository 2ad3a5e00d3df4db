"""A stored run as JUnit XML: a cell is a test case.

Written so that Jenkins', GitLab's and Ant's schemas all accept it.  A cell
without an answer is an error, not skipped: unknown never counts as clean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from . import facts
from .matrix import evidence, missing
from .stored import Stored
from .text import clean, clipped, joined, why

_MOST_CHARS = 2000


def junit(stored: Stored) -> str:
    """One suite; failure: unexpected or missed, error: no answer."""
    kinds = [_kind(cell) for cell in stored.cells]
    failures, errors = kinds.count("failure"), kinds.count("error")
    counts = f'tests="{len(kinds)}" failures="{failures}" errors="{errors}"'
    host = stored.run.get("host")
    properties: Mapping[str, Any] = host if isinstance(host, Mapping) else {}
    wall = _seconds(stored.run.get("wall_s"))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<testsuites>",
        f'<testsuite name="racebench" package="racebench" id="0" {counts} skipped="0" '
        f'time="{wall}" timestamp="{stored.at:%Y-%m-%dT%H:%M:%S}" hostname="localhost">',
        "<properties>",
        *(f"<property name={_attr(k)} value={_attr(v)}/>" for k, v in properties.items()),
        "</properties>",
        *(_case(cell, kind, stored) for cell, kind in zip(stored.cells, kinds, strict=True)),
        "<system-out></system-out>",
        "<system-err></system-err>",
        "</testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _attr(value: Any) -> str:
    return quoteattr(clipped(clean(value), _MOST_CHARS) or "-")


def _text(value: Any) -> str:
    return escape(clipped(clean(value), _MOST_CHARS))


def _seconds(value: Any) -> str:
    usable = isinstance(value, (int, float)) and 0 <= value < 1e9
    return f"{value:.3f}" if usable else "0.000"


def _kind(cell: Mapping[str, Any]) -> str:
    if cell["verdict"] == "as_expected":
        return ""
    return "failure" if cell["verdict"] in ("unexpected", "missed") else "error"


def _case(cell: Mapping[str, Any], kind: str, stored: Stored) -> str:
    modes = (cell.get(mode) or {} for mode in ("stress", "verify", "explore"))
    spent = sum(float(_seconds(mode.get("seconds"))) for mode in modes)
    head = (
        f"<testcase classname={_attr('racebench.' + cell['scenario'])} name={_attr(cell['protocol'])} "
        f'time="{spent:.3f}"'
    )
    if not kind:
        return head + "/>"
    what = joined(cell["found"]) or "nothing found"
    if missing(cell):
        what += f"; not found: {joined(missing(cell))}"
    message = f"{cell['verdict']}: {why(cell) or what}"
    lines = [_text(evidence(cell))]
    for path, finding in stored.of_cell(cell):
        lines.append(f"{_text(finding['rule'])}: {_text(facts.sentence(finding))}")
        where = f"{stored.run['dir']}/{path}" if stored.run.get("dir") else path
        lines.append(_text(facts.replay_command(finding, where) or facts.not_replayable(finding)))
    body = "\n".join(lines)
    opened = f"<{kind} type={_attr(cell['verdict'])} message={_attr(message)}>"
    return f"{head}>\n{opened}{body}</{kind}>\n</testcase>"
