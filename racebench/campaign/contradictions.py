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

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import engine
from ..errors import ProgramError
from ..findings import Finding
from ..program import Program

_NOT_COMPARED = ("lock_order.", "data_race", "stall.")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What is said of it, and whether the fault is RaceBench's."""

    said: str
    ours: bool


def excluded(found: Iterable[tuple[Finding, Collection[str]]]) -> list[Finding]:
    """Of findings, each with the modes that met it, those that a complete ``verify`` excludes."""
    both = list(found)
    proved = {finding.rule for finding, modes in both if "verify" in modes}
    return [
        finding
        for finding, modes in both
        if finding.rule not in proved and not finding.rule.startswith(_NOT_COMPARED)
    ]


def covered(verify: Mapping[str, Any] | None, unseen: Collection[str]) -> bool:
    """Whether a stored ``verify`` ran every schedule that it could see; ``unseen`` is what it could not."""
    if not verify:
        return False
    bounded = verify.get("preemption_bound") is not None
    return bool(verify["complete"] or (unseen and verify.get("done") == 1 and not bounded))


def explained(program: Program, against: Finding, known: Sequence[str] = ()) -> Contradiction:
    """Why ``against`` was found although a proof of ``program`` excludes it; ``known`` was not seen."""
    what = f"{against.rule} was found, and the proof excludes it"
    if not against.schedule:
        try:
            unseen = known or engine.suspected(program)
        except ProgramError as error:
            unseen = [str(error)]
        if unseen:
            return Contradiction(f"{what}. {'; '.join(unseen)}", False)
    return Contradiction(f"{what}: a fault of RaceBench. Please report it.", True)
