"""The claims of the xen-devel thread, and the verdict of a run's cells on them.

A claim is a statement about cells: under these protocols these rules break,
or do not.  The verdict is computed from the stored cells; a claim whose cells
were not run is "not tested", one whose cells have no answer yet is "open".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..findings import counted
from ..records import Cell

_MAPPING = ("mapping.corrupted", "mapping.double_success")


class Point(NamedTuple):
    """One condition of a claim.

    In the cell ``scenario`` x ``protocol`` one of ``rules`` breaks (``breaks``), or
    none of them does.  A condition that is not ``essential`` qualifies the claim
    if it fails, and does not refute it.
    """

    scenario: str
    protocol: str
    rules: tuple[str, ...]
    breaks: bool
    essential: bool = True


class Claim(NamedTuple):
    """A claim made on xen-devel on 8 May 2017."""

    id: str
    text: str
    by: str
    points: tuple[Point, ...]


class ClaimVerdict(NamedTuple):
    """The verdict of a run on a claim: holds, refuted, qualified, open or not tested."""

    id: str
    claim: str
    by: str
    verdict: str
    evidence: tuple[str, ...]


class Answer(NamedTuple):
    """Whether a cell agrees with a point, None if it gives no answer, and the evidence."""

    agrees: bool | None
    evidence: str


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "K1", "the rank lock is not needed in the two routing functions", "the patch",
        (Point("route_vs_route", "no_rank_lock", _MAPPING, False),
         Point("route_vs_isenabler", "no_rank_lock", ("mapping.lost_enable",), False)),
    ),
    Claim(
        "K2", "it stops two routes of one vIRQ to different pIRQs from both updating p->desc",
        "first reviewer; second maintainer agrees",
        (Point("route_vs_route", "baseline", _MAPPING, False),
         Point("route_vs_route", "no_rank_lock", _MAPPING, True)),
    ),
    Claim(
        "K3", "desc->lock serialises changes to one pIRQ, the rank lock changes to one vIRQ",
        "second maintainer",
        (Point("route_vs_route_same_pirq", "no_rank_lock", _MAPPING, False),
         Point("route_vs_route", "baseline", _MAPPING, False)),
    ),
    Claim(
        "K4", "today's code may deadlock: desc then rank against rank then desc", "first reviewer",
        (Point("release_vs_isenabler", "baseline", ("deadlock.cycle",), True),
         Point("irq_vs_icenabler", "baseline", ("deadlock.cycle",), True),
         Point("route_vs_isenabler", "baseline", ("deadlock.cycle",), True, essential=False)),
    ),
    Claim(
        "K5", "K4 is no issue in practice: routing happens before the domain runs",
        "second maintainer",
        (Point("route_vs_isenabler", "baseline", ("deadlock.cycle",), False),
         Point("irq_vs_icenabler", "baseline", ("deadlock.cycle",), False)),
    ),
    Claim(
        "K6", "a per-pending_irq lock keeps the mapping safe but does not cure the deadlock",
        "first reviewer",
        (Point("route_vs_route", "pending_irq_lock_nested", _MAPPING, False),
         Point("release_vs_isenabler", "pending_irq_lock_nested", ("deadlock.cycle",), True),
         Point("release_vs_isenabler", "pending_irq_lock", ("deadlock.cycle",), True, essential=False)),
    ),
    Claim(
        "K7", "guarding by creation_finished and is_dying ends the race with the vGIC, not with itself",
        "first reviewer",
        (Point("route_vs_isenabler", "no_rank_lock_guard", ("mapping.lost_enable",), False),
         Point("late_route", "no_rank_lock_guard", _MAPPING, True),
         Point("guard_vs_unpause", "no_rank_lock_guard", ("mapping.lost_enable",), False, essential=False)),
    ),
    Claim(
        "K8", "take the vgic domain lock for routing", "first reviewer",
        (Point("route_vs_route", "domain_lock", _MAPPING, False),
         Point("release_vs_release", "domain_lock", ("crash.null_desc",), False),
         Point("release_vs_isenabler", "domain_lock", ("crash.null_desc", "crash.null_handler"), False,
               essential=False)),
    ),
    Claim(
        "K9", "the pending_irq lock is enough in gic_route_irq_to_guest", "second maintainer",
        (Point("route_vs_route", "pending_irq_lock", _MAPPING, False),
         Point("route_vs_isenabler", "pending_irq_lock", ("mapping.lost_enable", "deadlock.cycle"), False),
         Point("release_vs_isenabler", "pending_irq_lock_no_recheck", ("crash.null_handler",), False,
               essential=False)),
    ),
)  # fmt: skip


def judge(cells: Iterable[Cell]) -> list[ClaimVerdict]:
    """Return a verdict on each claim, from the cells of a run."""
    known = {cell.name: cell for cell in cells}
    return [_judge(claim, known) for claim in CLAIMS]


def _judge(claim: Claim, cells: Mapping[tuple[str, str], Cell]) -> ClaimVerdict:
    answers = [_answer(point, cells.get((point.scenario, point.protocol))) for point in claim.points]
    judged = list(zip(claim.points, answers, strict=True))
    # The evidence that refutes a claim comes first.
    judged.sort(key=lambda one: one[1].agrees is not False or not one[0].essential)
    evidence = tuple(answer.evidence for _, answer in judged if answer.evidence)
    verdict = _verdict([(point, answer.agrees) for point, answer in judged]) if evidence else "not tested"
    return ClaimVerdict(claim.id, claim.text, claim.by, verdict, evidence)


def _verdict(answers: Sequence[tuple[Point, bool | None]]) -> str:
    if any(answer is False and point.essential for point, answer in answers):
        return "refuted"
    if any(answer is None for _, answer in answers):
        return "open"
    return "holds" if all(answer for _, answer in answers) else "qualified"


def _answer(point: Point, cell: Cell | None) -> Answer:
    if cell is None:
        return Answer(None, "")
    where, rules = f"{point.scenario} under {point.protocol}", " or ".join(point.rules)
    broken = sorted(set(point.rules) & set(cell.found))
    if broken:
        return Answer(point.breaks, f"{where}: {', '.join(broken)}")
    if cell.verify is not None and cell.verify.complete:
        executions = counted(cell.verify.executions, "execution")
        return Answer(not point.breaks, f"{where}: no {rules} in any schedule ({executions}, all)")
    seen = f" in {counted(cell.stress.executions, 'collision')}" if cell.stress else ""
    return Answer(None, f"{where}: no {rules} found{seen}, not proved")
