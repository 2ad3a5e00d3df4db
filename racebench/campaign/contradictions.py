"""What one mode found and a complete proof of the same program excludes.

One of the two is wrong.  Either the program touches something that RaceBench does not
see, so that the proof is of less than the program: then the answer is unknown, and what
it touches is named.  Or the fault is ours, as it is when the finding has a schedule
under control, which the proof must have run.

Not compared: predictions and detectors' words (``lock_order``, ``data_race``), which are
about more than one execution, and stalls, which are about time.  A finding is compared
by its rule too: the words of a signature may have data in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .. import engine
from ..errors import ProgramError
from ..findings import Finding
from ..program import Program
from ..records import Cell, FindingRecord

_NOT_COMPARED = ("lock_order.", "data_race", "stall.")


def compared(cell: Cell, findings: Iterable[FindingRecord], program: Program) -> Cell:
    """``cell``; without an answer, and saying why, if its proof excludes one of ``findings``."""
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
    """Of what was found, that which a complete ``verify`` excludes."""
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
    """What the proof may not have seen; nothing, if ``against`` has a schedule, which it must have run."""
    if against.schedule:
        return ()
    try:
        return known or engine.suspected(program)
    except ProgramError as error:
        return (str(error),)
