"""JUnit XML for CI: a cell is a test case.

The suite's first property is the run's conclusion.  The schemas of Jenkins, GitLab and
Ant all accept it.  A cell without an answer is an error, not skipped: unknown
never counts as clean.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from ...records import Cell
from .. import facts
from ..headline import in_a_line
from ..stored_run import Stored
from ..text import clean, clipped, joined

_MOST_CHARS = 2000


def render(stored: Stored) -> str:
    """One suite; failure: unexpected or missed, error: no answer."""
    run = stored.run
    kinds = [_kind(cell) for cell in run.cells]
    failures, errors = kinds.count("failure"), kinds.count("error")
    counts = f'tests="{len(kinds)}" failures="{failures}" errors="{errors}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<testsuites>",
        f'<testsuite name="racebench" package="racebench" id="0" {counts} skipped="0" '
        f'time="{_seconds(run.wall_s or 0)}" timestamp="{stored.at:%Y-%m-%dT%H:%M:%S}" hostname="localhost">',
        "<properties>",
        f'<property name="conclusion" value={_attr(in_a_line(stored))}/>',
        *(f"<property name={_attr(k)} value={_attr(v)}/>" for k, v in run.host.items()),
        "</properties>",
        *(_case(cell, kind, stored) for cell, kind in zip(run.cells, kinds, strict=True)),
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


def _seconds(value: float) -> str:
    return f"{value:.3f}" if 0 <= value < 1e9 else "0.000"


def _kind(cell: Cell) -> str:
    if cell.verdict == "as_expected":
        return ""
    return "failure" if cell.verdict in ("unexpected", "missed") else "error"


def _case(cell: Cell, kind: str, stored: Stored) -> str:
    head = (
        f"<testcase classname={_attr('racebench.' + cell.scenario)} name={_attr(cell.protocol)} "
        f'time="{_seconds(cell.seconds)}"'
    )
    if not kind:
        return head + "/>"
    what = joined(cell.found) or "nothing found"
    lacking = facts.missing(cell)
    what += f"; not found: {joined(lacking)}" if lacking else ""
    message = f"{cell.verdict}: {facts.why(cell) or what}"
    lines = [_text(facts.done(cell))]
    for path, record in stored.findings:
        if record.cell == cell.name:
            lines.append(f"{_text(record.finding.rule)}: {_text(facts.sentence(record))}")
            command = facts.replay_command(record, stored.path(path))
            lines.append(_text(command or facts.not_replayable(record)))
    body = "\n".join(lines)
    opened = f"<{kind} type={_attr(cell.verdict)} message={_attr(message)}>"
    return f"{head}>\n{opened}{body}</{kind}>\n</testcase>"
