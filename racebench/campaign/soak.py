"""A campaign in pieces: cells cut into shards and rounds, each a visit of its own.

A visit runs anywhere (another process, another machine) and needs nobody: its
seed follows from the soak's and its own place in it, so no two visits do the
same work.  The proof is one piece of work and cannot be cut: it belongs to the
first visit of a cell, and the others hammer.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from .. import engine
from ..errors import RaceBenchError
from ..findings import CellVerdict
from .cell import CellResult, Plan, allowed_s, contradicted, run_cell
from .child import LATE, Call, Link
from .contradictions import covered, excluded, explained
from .place import Place
from .pool import Job, Pool
from .stop import Stop
from .told import Cell, Earlier, finding_from_record, judge

VERIFY_S = 30.0
MOST_VISITS = 4000
_REPRODUCE_SHARE = 1.1

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Share:
    """Which piece of a cell's soak a visit is; counted from 0."""

    shard: int = 0
    shards: int = 1
    round: int = 0
    rounds: int = 1

    @property
    def proves(self) -> bool:
        return self.shard == 0 and self.round == 0

    def seed(self, base: int) -> int:
        """The visit's own seed; the first one's is ``base`` itself."""
        if self.proves:
            return base
        text = f"{base} {self.shard} {self.round}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")

    def __str__(self) -> str:
        """``[shard 1/4]``, ``[round 2/9]``, both or nothing."""
        parts = [f"shard {self.shard + 1}/{self.shards}"] if self.shards > 1 else []
        parts += [f"round {self.round + 1}/{self.rounds}"] if self.rounds > 1 else []
        return f"[{' '.join(parts)}]" if parts else ""


def rounds_for(visits: int, visit_s: float, soak_s: float, workers: int) -> int:
    """How many rounds of ``visits`` fill ``soak_s``; long soaks get longer visits instead of more."""
    wanted = round(soak_s * workers / (max(1, visits) * visit_s))
    return max(1, min(wanted, MOST_VISITS // max(1, visits)))


class Pace:
    """How long each visit of this process may be, so that all are over when the time is up.

    What one visit takes too long (a proof, a stall) the next ones make up for.
    """

    def __init__(
        self, soak_s: float, left_s: float, visits: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._soak_s, self._clock = soak_s, clock
        self.visit_s = soak_s / max(1.0, visits)
        self._start = clock() - (soak_s - left_s)
        self._begun = (soak_s - left_s) / self.visit_s

    def next(self) -> float:
        """Seconds for the next visit."""
        self._begun += 1
        spent = self._clock() - self._start
        least = 0.25 * self.visit_s if spent < self._soak_s else 0.0
        return min(max(self._begun * self.visit_s - spent, least), 4 * self.visit_s)


@dataclass
class Visit:
    """What came of one visit.

    ``record`` is the cell's, over this visit alone; ``known`` are signatures
    that an earlier visit of this process had told before; ``stands`` says
    where every thread stood if the visit outlived its deadline.
    """

    record: dict[str, Any]
    known: list[str] = field(default_factory=list)
    stands: str = ""
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        return self.record["verdict"] == CellVerdict.AS_EXPECTED.value and not self.stands


class Visitor:
    """Runs visits in a child process, and remembers what they found.

    What was found before is not searched for a schedule again: its record is
    kept for that, without the evidence.  ``close`` ends the process.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._memory: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self._stop = Stop()
        self._pool: Pool | None = None

    def visit(
        self, cell: Cell, share: Share, seconds: float, tell: Tell, limit_s: float | None = None
    ) -> Visit:
        """Prove ``cell`` if that is this share's, then hammer it for ``seconds``.

        Findings are told as they are known, everything else at the end.
        ``limit_s`` is what an outer watchdog allows; ours comes before it.
        """
        if self._pool is None:
            self._pool = Pool(1, self._stop).__enter__()
        memory = self._memory.setdefault(cell.name, {})
        plan = replace(self.plan, seed=share.seed(self.plan.seed))
        allowed = deadline_s(share, seconds)
        limit_s = allowed if limit_s is None else min(allowed, 0.7 * limit_s)
        call = Call(visit_in_child, (Place.of(cell), share, plan, memory, seconds))
        one = _One(Job(cell, call, limit_s), memory, tell)
        with self._stop.on_signals():
            self._pool.run(one)
        return one.visit or Visit(cell_stub(cell), interrupted=True)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.__exit__(None, None, None)
            self._pool = None


class _One:
    """One visit, as a pool's employer."""

    def __init__(self, job: Job, memory: dict[str, dict[str, Any]], tell: Tell) -> None:
        self._waiting: Job | None = job
        self._memory, self._tell = memory, tell
        self._stands = ""
        self.visit: Visit | None = None

    def next_job(self, free: int) -> Job | None:
        job, self._waiting = self._waiting, None
        return job

    def told(self, job: Job, word: str, *what: Any) -> None:
        if word == LATE:
            self._stands = what[1]
            return
        [message] = what
        if "finding" in message:
            finding = message["finding"]
            # Who is told has the evidence; a process that soaks all night need not keep it.
            self._memory[finding["signature"]] = {**finding, "evidence": {}}
        self._tell(message)

    def done(self, job: Job, value: Visit) -> None:
        value.stands = self._stands
        value.interrupted = value.interrupted and not self._stands
        self.visit = value

    def failed(self, job: Job, error: RaceBenchError) -> None:
        raise error

    def lost(self, job: Job, why: str) -> None:
        record = {**cell_stub(job.asker), "error": why}
        self._tell({"visit": record, "seen": {}})
        self.visit = Visit(record, stands=self._stands)


def visit_in_child(
    link: Link, place: Place, share: Share, plan: Plan, memory: dict[str, dict[str, Any]], seconds: float
) -> Visit:
    """One visit, in a child of the visitor's pool."""
    run = _VisitRun(place.cell(), share, plan, memory, partial(link.tell, "news"), link.stop)
    run.go(seconds)
    return run.result()


def deadline_s(share: Share, seconds: float) -> float:
    """By when a visit must be over, whatever happens in it."""
    return allowed_s(seconds + (VERIFY_S if share.proves else 0.0))


class _VisitRun:
    """One visit while it runs; a cell's listener."""

    def __init__(
        self, cell: Cell, share: Share, plan: Plan, memory: dict[str, dict[str, Any]], tell: Tell, stop: Stop
    ) -> None:
        self.cell, self.share, self.plan, self.memory, self.tell = cell, share, plan, memory, tell
        self.stop = stop
        self.before = set(memory)
        self.seen: dict[str, dict[str, int]] = {}
        self.runs: dict[str, CellResult] = {}
        self.proves = share.proves and "verify" in plan.modes and cell.scenario.mix is None

    def go(self, seconds: float) -> None:
        if self.proves:
            self._run("verify", VERIFY_S)
        if "stress" in self.plan.modes and not self.stop.over and not self._error():
            self._run("stress", seconds * _REPRODUCE_SHARE)

    def _run(self, mode: str, seconds: float) -> None:
        known = [
            {**finding, "seen": self.seen.get(signature, {})}
            for signature, finding in self.memory.items()
            if finding["schedule"]
        ]
        plan = replace(self.plan, modes=(mode,))
        self.runs[mode] = run_cell(self.cell, plan, seconds, self, self.stop, Earlier(known))

    def _error(self) -> str:
        return next((r.cell["error"] for r in self.runs.values() if "error" in r.cell), "")

    # -- cell.CellListener

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        pass

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None:
        pass

    def cell_so_far(self, cell: dict[str, Any]) -> None:
        pass

    def finding(self, finding: dict[str, Any]) -> None:
        signature = finding["signature"]
        if finding["seen"]:
            self.seen[signature] = dict(finding["seen"])
        known = self.memory.get(signature)
        if known is None or finding["schedule"] != known["schedule"]:
            self.memory[signature] = {**finding, "evidence": {}}
            self.tell({"finding": finding})

    # -- the outcome

    def result(self) -> Visit:
        scenario, protocol = self.cell.scenario, self.cell.choice.id
        rules = sorted({self.memory[signature]["rule"] for signature in self.seen})
        expected, allowed = sorted(scenario.expected(protocol)), sorted(scenario.allowed(protocol))
        verify = self._mode("verify")
        interrupted = self.stop.asked
        error = self._error()
        unseen = list(dict.fromkeys(s for run in self.runs.values() for s in run.cell.get("unseen", ())))
        proved: bool | None = None
        if self.proves:
            proved = bool(verify and verify["complete"]) and not unseen
        # An expected rule that this visit did not meet is the proof's business, not its own.
        wanted = expected if proved is not None else [r for r in expected if r in rules]
        allowed_here = allowed if proved is not None else sorted({*allowed, *expected})
        verdict = judge(wanted, allowed_here, rules, proved, interrupted or bool(error) or bool(unseen))
        record = {
            **cell_stub(self.cell),
            "found": rules,
            "verdict": verdict.value,
            "verify": verify,
            "stress": self._mode("stress"),
        }
        if error:
            record["error"] = error
        if unseen:
            record["unseen"] = unseen
        if covered(verify, unseen) and not self.stop.over:
            record = self._compared(record, unseen)
        self.tell({"visit": record, "seen": self.seen})
        known = [s for s in self.seen if s in self.before]
        return Visit(record, known, "", interrupted)

    def _compared(self, record: dict[str, Any], unseen: Sequence[str]) -> dict[str, Any]:
        """``record``, or that of a cell of which nothing is known, if the proof excludes what was found."""
        odd = excluded(
            (finding_from_record(self.memory[signature]), seen) for signature, seen in self.seen.items()
        )
        if not odd:
            return record
        program = self.cell.scenario.program(self.cell.choice.code)
        return contradicted(record, explained(program, odd[0], unseen))

    def _mode(self, mode: str) -> dict[str, Any] | None:
        run = self.runs.get(mode)
        value: dict[str, Any] | None = None if run is None else run.cell[mode]
        return value


def cell_stub(cell: Cell) -> dict[str, Any]:
    """A cell of which nothing is known yet, as run.json has cells."""
    scenario, protocol = cell.scenario, cell.choice.id
    return {
        "scenario": scenario.name,
        "protocol": protocol,
        "expected": sorted(scenario.expected(protocol)),
        "allowed": sorted(scenario.allowed(protocol)),
        "found": [],
        "verdict": CellVerdict.UNKNOWN.value,
        "stress": None,
        "verify": None,
        "explore": None,
        "settles": list(scenario.settles),
        "hammered": scenario.mix is not None,
        "findings": [],
    }


def unexpected(record: Mapping[str, Any]) -> list[str]:
    """The rules of a record that were found, and are neither expected nor allowed."""
    return [r for r in record["found"] if r not in record["expected"] and r not in record["allowed"]]
