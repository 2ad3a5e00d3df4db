"""A campaign in pieces: cells are cut into shards and rounds, each of them a visit.

A visit can run anywhere (in another process, on another machine) on its own: its
seed follows from the soak's seed and its own place in the soak, so no two visits do
the same work.  A proof cannot be cut: it belongs to the first visit of a cell, and
the other visits hammer.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ..errors import RaceBenchError
from ..findings import CellVerdict
from ..records import Cell, FindingRecord
from ..scenario.selection import Target
from .budget import allowed_s
from .cell import CellResult, Earlier, Plan
from .child import LATE, Call
from .place import Place, in_child
from .pool import GRACE_S, Job, Pool
from .share import Share
from .stop import Stop

VERIFY_S = 30.0
MOST_VISITS = 4000
_REPRODUCE_SHARE = 1.1

Tell = Callable[[dict[str, Any]], None]


def rounds_for(visits: int, visit_s: float, soak_s: float, workers: int) -> int:
    """The number of rounds of ``visits`` that fill ``soak_s``; in long soaks visits get longer, not more."""
    wanted = round(soak_s * workers / (max(1, visits) * visit_s))
    return max(1, min(wanted, MOST_VISITS // max(1, visits)))


class Pace:
    """How long each visit of this process may take, so that all are over when the time is up.

    If one visit takes too long (a proof, a stall), the next ones are shorter.
    """

    def __init__(
        self, soak_s: float, left_s: float, visits: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._soak_s, self._clock = soak_s, clock
        self.visit_s = soak_s / max(1.0, visits)
        self._start = clock() - (soak_s - left_s)
        self._begun = (soak_s - left_s) / self.visit_s

    def next(self) -> float:
        """Return the seconds for the next visit."""
        self._begun += 1
        spent = self._clock() - self._start
        least = 0.25 * self.visit_s if spent < self._soak_s else 0.0
        return min(max(self._begun * self.visit_s - spent, least), 4 * self.visit_s)


@dataclass(frozen=True)
class Visit:
    """The result of one visit: its cell, for this visit alone.

    ``known`` are the signatures that an earlier visit of this process had already
    reported; ``stands`` has the stacks of all threads if the visit exceeded its deadline.
    """

    cell: Cell
    known: tuple[str, ...] = ()
    stands: str = ""

    @property
    def interrupted(self) -> bool:
        return self.cell.partial and not self.stands and not self.cell.lost

    @property
    def passed(self) -> bool:
        return self.cell.verdict == CellVerdict.AS_EXPECTED.value and not self.stands


class Visitor:
    """Runs visits in a child process, and remembers their findings.

    A schedule is not searched again for a known finding: its record is kept for that,
    without the evidence.  ``close`` ends the process.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._memory: dict[tuple[str, str], dict[str, FindingRecord]] = {}
        self._stop = Stop()
        self._pool: Pool | None = None

    def visit(
        self, target: Target, share: Share, seconds: float, tell: Tell, limit_s: float | None = None
    ) -> Visit:
        """Prove the cell of ``target`` if that is this share's, then hammer it for ``seconds``.

        Findings are reported when they are known, everything else at the end.
        ``limit_s`` is the limit of an outer watchdog; our own deadline comes before it.
        """
        if self._pool is None:
            self._pool = Pool(1, self._stop).__enter__()
            # An xdist worker whose controller was killed cleans nothing up, and at its exit
            # multiprocessing waits for the child, which waits for a call or for our exit.
            atexit.register(self.close)
        memory = self._memory.setdefault(target.name, {})
        modes = tuple(mode for mode in self.plan.modes if mode != "verify" or share.proves)
        plan = self.plan._replace(modes=modes, seed=share.seed(self.plan.seed), proof_s=VERIFY_S)
        known = Earlier(findings=tuple(r for r in memory.values() if r.finding.schedule))
        allowed = deadline_s(share, seconds)
        grace_s = GRACE_S
        if limit_s is not None:
            # The visit has to be over, killed if need be, before the outer watchdog ends everything.
            allowed, grace_s = min(allowed, 0.6 * limit_s), min(grace_s, 0.2 * limit_s)
        call = Call(in_child, (Place.of(target), plan, seconds * _REPRODUCE_SHARE, known))
        job = Job(target, call, allowed, grace_s, by_clock=limit_s is not None)
        one = _One(job, target.cell(self.plan.modes), share, memory, tell)
        with self._stop.on_signals():
            self._pool.run(one)
        return one.visit

    def close(self) -> None:
        atexit.unregister(self.close)
        if self._pool is not None:
            self._pool.__exit__(None, None, None)
            self._pool = None


class _One:
    """The pool's employer for one visit; ``cell`` is the visited cell before anything is known."""

    def __init__(
        self, job: Job, cell: Cell, share: Share, memory: dict[str, FindingRecord], tell: Tell
    ) -> None:
        self._waiting: Job | None = job
        self._share = share
        self._cell, self._memory, self._tell = cell, memory, tell
        self._before = tuple(memory)
        self._rules: set[str] = set()
        self._stands = ""
        self.visit = Visit(replace(cell, partial=True))

    def next_job(self, free: int) -> Job | None:
        job, self._waiting = self._waiting, None
        return job

    def on_message(self, job: Job, word: str, *what: Any) -> None:
        if word == LATE:
            self._stands = what[1]
        elif word == "finding":
            self._finding(*what)

    def _finding(self, record: FindingRecord) -> None:
        """Report a finding that is new or says more; then its evidence need not be kept here all night."""
        signature, evidence = record.finding.signature, record.finding.evidence
        self._rules.add(record.finding.rule)
        kept_evidence = {key: value for key, value in evidence.items() if key == "reproduced"}
        kept = replace(record, finding=replace(record.finding, evidence=kept_evidence), seen={})
        known = self._memory.get(signature)
        self._memory[signature] = kept
        if known is None or (known.finding.schedule, known.finding.evidence) != (
            kept.finding.schedule,
            kept_evidence,
        ):
            self._tell({"found": record.to_json()})

    def done(self, job: Job, value: CellResult) -> None:
        # A visit that only hammers leaves ``proof`` (whether the cell's answer is a proof) as it was.
        self._tell({"done": replace(value.cell, proof=self._cell.proof).to_json(), "seen": value.seen})
        known = tuple(signature for signature in self._before if signature in value.seen)
        self.visit = Visit(self._judged(value.cell), known, self._stands)

    def _judged(self, cell: Cell) -> Cell:
        """Give the cell the visit's own verdict; a visit that does all of its cell has the cell's verdict."""
        return cell if cell.proof or self._share.alone else _judged_apart(cell)

    def failed(self, job: Job, error: RaceBenchError) -> None:
        raise error

    def lost(self, job: Job, why: str) -> None:
        self._tell({"lost": why})
        cell = replace(self._cell, found=tuple(sorted(self._rules)), error=why, lost=True)
        self.visit = Visit(cell.judged(), stands=self._stands)


def deadline_s(share: Share, seconds: float) -> float:
    """The seconds after which a visit must be over, whatever happens in it."""
    return allowed_s(seconds + (VERIFY_S if share.proves else 0.0))


def _judged_apart(cell: Cell) -> Cell:
    """Judge one visit of several: only all visits together can miss an expected rule."""
    met = tuple(rule for rule in cell.expected if rule in cell.found)
    relaxed = replace(cell, expected=met, allowed=cell.allowed + cell.expected)
    return replace(cell, verdict=relaxed.judged().verdict)
