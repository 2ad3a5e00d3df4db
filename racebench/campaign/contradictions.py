"""Contradictions: one mode found what a complete proof of the same program excludes.

One of the two is wrong.  Either the program touches something that RaceBench does not
see, so that the proof does not cover the whole program: then the answer is unknown, and
names what the program touches.  Or the fault is ours; so it is if the finding has a
schedule under control, because the proof must have run that schedule.

Predictions and data races (``lock_order``, ``data_race``) are not compared, because they
are about more than one execution; nor are stalls, which are about time.  Findings are
compared by their rules, because a signature may contain data.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ..engine.explain.suspicion import suspected
from ..errors import ProgramError
from ..findings import Finding
from ..program import Program
from ..records import Cell, FindingRecord

_NOT_COMPARED = ("lock_order.", "data_race", "stall.")


def compared(cell: Cell, findings: Iterable[FindingRecord], program: Program) -> Cell:
    """Return ``cell``; if its proof excludes one of ``findings``, without an answer and with the reason."""
    odd = excluded(findings) if covered(cell) else []
    if not odd:
        return cell
    against = odd[0]
    what = f"{against.rule} was found, and the proof excludes it"
    unseen = _unseen(program, against, cell.unseen)
    if unseen:
        return replace(cell, contradicted=True, unseen=(f"{what}. {'; '.join(unseen)}",))
    error = f"{what}: a fault of RaceBench. Please report it."
    return replace(cell, contradicted=True, error=error, failed=True)


def excluded(found: Iterable[FindingRecord]) -> list[Finding]:
    """The findings that other modes made and a complete ``verify`` excludes."""
    both = [record for record in found if record.seen]
    proved = {record.finding.rule for record in both if "verify" in record.seen}
    odd = [record.finding for record in both if record.finding.rule not in proved]
    return [finding for finding in odd if not finding.rule.startswith(_NOT_COMPARED)]


def covered(cell: Cell) -> bool:
    """Whether the proof of ``cell`` ran every schedule that it could see."""
    if cell.verify is None:
        return False
    bounded = cell.verify.preemption_bound is not None
    return cell.verify.complete or (bool(cell.unseen) and cell.verify.done == 1 and not bounded)


def _unseen(program: Program, against: Finding, known: Sequence[str]) -> Sequence[str]:
    """What the proof may not have seen; nothing if ``against`` has a schedule: the proof ran that."""
    if against.schedule:
        return ()
    try:
        return known or suspected(program)
    except ProgramError as error:
        return (str(error),)
