"""Visits and their merged run as plain text, for a test runner's report."""

from __future__ import annotations

import io
from collections.abc import Collection

from ..records import Cell, Run
from . import facts
from .facts import cell_name, sentence, why
from .finding import finding_panel
from .run import document
from .stored_run import Pairs, Stored
from .terminal import plain, screen, show_run
from .text import clean, counted, joined
from .tree import Block, note

_MOST_PANELS = 5


def panels(findings: Pairs, width: int, color: bool = False) -> str:
    """A panel for each finding; ``findings`` are (path to replay or "", finding)."""
    blocks: list[Block] = [finding_panel(f, path) for path, f in findings[:_MOST_PANELS]]
    if len(findings) > _MOST_PANELS:
        blocks.append(note(f"and {counted(len(findings) - _MOST_PANELS, 'finding')} more"))
    return plain(blocks, width, color=color)


def in_brief(cell: Cell, findings: Pairs) -> str:
    """Why a visit failed, in a line: the unexpected rules and the conflicting functions."""
    odd = [record for _, record in findings if record.finding.rule in cell.unexpected]
    lines = dict.fromkeys(facts.conflict(record) for record in odd)
    return "; ".join(lines) or verdict(cell)


def failure(
    cell: Cell, findings: Pairs, known: Collection[str], stands: str, width: int, color: bool = False
) -> str:
    """Why a visit failed: the verdict, and a panel for each unexpected finding.

    Signatures in ``known`` were shown before, for another visit: a line each.
    """
    fine = {*cell.expected, *cell.allowed}
    odd = [(path, f) for path, f in findings if f.finding.rule not in fine]
    new = [(path, f) for path, f in odd if f.finding.signature not in known]
    again = [f for _, f in odd if f.finding.signature in known]
    parts = [verdict(cell), *(f"again: {clean(f.finding.rule)}: {sentence(f)}" for f in again)]
    parts += [panels(new, width, color)] if new else []
    if stands:
        parts.append(f"it outlived its deadline and was interrupted. Where every thread stood:\n\n{stands}")
    return "\n".join(parts)


def verdict(cell: Cell) -> str:
    """A visit's verdict in one line: what was expected, what was found, what was proved."""
    expected, found = joined(cell.expected) or "nothing", joined(cell.found) or "nothing"
    text = f"{clean(cell.verdict)}: {cell_name(cell)}: expected {expected}, found {found}"
    if why(cell):
        return f"{text}: {why(cell)}"
    if cell.verify is not None:
        share = "every schedule" if cell.verify.complete else "not every schedule"
        text += f"; {share} was run ({counted(cell.verify.executions, 'execution')})"
    return text


def race_report(run: Run, findings: Pairs, folder: str, width: int, color: bool) -> str:
    """A merged run: its conclusion, the worst findings, the cells that are not as expected."""
    report = document(Stored(run, findings, folder=folder).surprising())
    out = io.StringIO()
    show_run(screen(out, width, color=color), report, full=False)
    return out.getvalue().strip("\n")
