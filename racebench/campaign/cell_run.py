"""Run one cell: a scenario under a protocol, in every mode asked for, and its verdict.

A process that only hands out cells does not import this module, and so not the engines.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any

from ..engine.delays import only_controlled
from ..engine.progress import Progress
from ..errors import ProgramError
from ..findings import Finding, Result
from ..program import Program
from ..records import FindingRecord, ModeResult
from ..scenario.scenario import Scenario
from ..scenario.selection import Target
from . import modes
from .budget import FEW, FEW_TRIES, HAMMER_SHARE
from .cell import CellResult, Earlier, Plan, Tell, failed
from .contradictions import compared
from .stop import Stop
from .vacuity import calls, noted

_REPRODUCE_SHARE = 0.1
_SHORTEST_S, _SHORTEST_REPRODUCE_S, _LONGEST_REPRODUCE_S = 0.05, 0.5, 10.0
_CONTROLLED = {"verify", "explore"}
_AT_ONCE = "it happens before the first step, so there is no schedule to replay"
_SLICE_S = 10.0
_SLICE_SEED = 1_000_003
_ENDLESS = 10**9


def run_cell(
    target: Target,
    plan: Plan,
    seconds: float,
    tell: Tell,
    stop: Stop,
    earlier: Earlier | None = None,
) -> CellResult:
    """Run one cell within about ``seconds``, less the time it took in ``earlier``, and keep that result.

    Findings are reported as soon as they are known, and again when they have a schedule.
    A fault of the program itself (ProgramError, or a deadline that ``stop`` reports) is
    the cell's ``error``, and its verdict is unknown.
    """
    run = None
    try:
        run = _CellRun(target, plan, seconds, tell, stop)
        return run.go(earlier or Earlier())
    except OSError:
        # A message cannot be stored, or nobody is there to take it: this concerns all cells.
        raise
    except Exception as error:
        return failed(target, error, None if run is None else run.result())


def _slices(end: float, stop: Stop) -> Iterator[tuple[int, float]]:
    """Number and seconds of each slice of stress until ``end``; at least one."""
    for n in itertools.count():
        left = end - perf_counter()
        if (n and left < _SHORTEST_S) or stop.over:
            return
        yield n, max(_SHORTEST_S, min(left, _SLICE_S))


class _CellRun:
    """One cell while it runs."""

    def __init__(self, target: Target, plan: Plan, seconds: float, tell: Tell, stop: Stop) -> None:
        self.target, self.plan, self.tell, self.stop = target, plan, tell, stop
        self.program = target.program()
        # Threads that draw their operations differ from run to run, so nothing about them can be proved.
        self.asked = plan.modes if target.scenario.mix is None else ("stress",)
        if len(self.asked) > 1 and only_controlled(self.program):
            self.asked = tuple(mode for mode in self.asked if mode != "stress")
        self.seconds = seconds
        self.deadline = perf_counter() + seconds
        self.cell = replace(target.cell(self.asked), calls=calls(target.scenario))
        self.findings: dict[str, FindingRecord] = {}
        self.sent: dict[str, Finding] = {}
        self.started: set[str] = set()

    def go(self, earlier: Earlier) -> CellResult:
        if earlier.cell is not None:
            self.cell = self.cell.plus(earlier.cell)
            self.deadline -= min(self.seconds, earlier.cell.seconds)
        for record in earlier.findings:
            self.findings[record.finding.signature] = record
            self.sent[record.finding.signature] = record.finding
        # The proof comes first: it is often quick, stress gets the time that it leaves,
        # and its findings have a schedule already.
        runs = {"verify": self._verify, "stress": self._stress, "explore": self._explore}
        for mode, run in runs.items():
            if mode in self.asked and not self.stop.over and not self.cell.error:
                run()
        self._reproduce()
        self._compare()
        if not self.stop.over:
            # If this is interrupted, nothing else that is known about the cell is lost.
            with suppress(KeyboardInterrupt), self.stop.interruptible():
                self.cell = noted(self.target, self.result().cell)
        return self.result()

    def result(self) -> CellResult:
        return self._so_far(self.stop.asked)

    def _so_far(self, partial: bool) -> CellResult:
        seen = {signature: record.seen for signature, record in self.findings.items() if record.seen}
        cell = replace(
            self.cell,
            found=tuple(sorted({self.findings[signature].finding.rule for signature in seen})),
            error=self.cell.error or self.stop.why,
            partial=partial,
        )
        return CellResult(cell.judged(), seen)

    # -- modes

    def _left(self) -> float:
        return max(_SHORTEST_S, self.deadline - perf_counter())

    def _verify(self) -> None:
        if self.cell.verify is not None:
            return
        hammer_s = self.seconds if self.plan.proof_s is not None else self.seconds * HAMMER_SHARE
        budget = self.plan.proof_s or self._left() - hammer_s * ("stress" in self.asked)
        how = {"preemptions": self.plan.preemptions, "seconds": budget, "least": FEW}
        self._add("verify", self._call("verify", budget, modes.verify, **how))
        self.deadline = max(self.deadline, perf_counter() + hammer_s)

    def _stress(self) -> None:
        """Run stress in slices, so that the findings of a long run are reported and stored on the way."""
        end = perf_counter() + self._left() - self.seconds * _REPRODUCE_SHARE
        # Skip the seeds of the slices that an earlier, interrupted run has used.
        first = 0 if self.cell.stress is None else 1 + int(self.cell.stress.seconds / _SLICE_S)
        for n, budget in _slices(end, self.stop):
            left = max(budget, end - perf_counter())
            seed = self.plan.seed + (first + n) * _SLICE_SEED
            result = self._call("stress", left, modes.stress, seconds=budget, seed=seed)
            if result is None:
                break
            self._add("stress", result)
            so_far = self._so_far(True)
            self.tell("cell_so_far", *so_far)
            if result.stats.get("lost"):
                break

    def _explore(self) -> None:
        executions = self.plan.executions
        seconds = self._left() if self.seconds or executions is None else None
        how = {"strategy": self.plan.strategy, "seed": self.plan.seed, "seconds": seconds}
        how["executions"] = _ENDLESS if executions is None else executions
        how["least"] = FEW_TRIES
        self._add("explore", self._call("explore", seconds or 0.0, modes.explore, **how))

    def _add(self, mode: str, result: Result | None) -> None:
        """Add ``result``, if there is one, to the mode's earlier result."""
        if result is not None:
            more = ModeResult.of(mode, result, self.plan.strategy)
            before: ModeResult | None = getattr(self.cell, mode)
            sent: dict[str, Any] = {mode: more if before is None else before.plus(more)}
            self.cell = replace(self.cell, **sent)

    def _call(self, mode: str, budget: float, run: Callable[..., Result], **how: Any) -> Result | None:
        """Call the engine once and take its findings; None if it was interrupted or raised ProgramError."""
        base = self.cell.modes.get(mode, ModeResult(mode))
        if mode not in self.started:
            self.started.add(mode)
            self.tell("cell_started", *self.target.name, mode, budget)

        def progress(p: Progress) -> None:
            total = p._replace(
                executions=p.executions + base.executions,
                failures=p.failures + base.failures,
                seconds=p.seconds + base.seconds,
            )
            self.tell("cell_progress", *self.target.name, mode, total)

        try:
            with self.stop.interruptible():
                result = run(self.program, progress=self.stop.checked(progress), **how)
        except KeyboardInterrupt:
            return None
        except ProgramError as error:
            self.cell = replace(self.cell, error=str(error))
            for finding in error.findings:
                self._found(mode, finding)
            return None
        for finding in result.findings:
            self._found(mode, finding)
        unseen = dict.fromkeys((*self.cell.unseen, *result.stats.get("unseen", ())))
        self.cell = replace(self.cell, unseen=tuple(unseen))
        return result

    # -- findings

    def _found(self, mode: str, finding: Finding) -> None:
        record = self.target.record(finding, mode, self.program.actors)
        known = self.findings.get(finding.signature)
        if known is not None:
            shown = known.showing(record) if record.better(known) else known
            record = shown.counted({mode: finding.count})
        self._tell(record)

    def _tell(self, record: FindingRecord) -> None:
        """Keep ``record``, and report it if its finding is not the one last reported."""
        signature = record.finding.signature
        self.findings[signature] = record
        if self.sent.get(signature) is not record.finding:
            self.sent[signature] = record.finding
            self.tell("finding", record)

    def _reproduce(self) -> None:
        """Search a schedule for each finding of the free run, or note that the budget ended first."""
        open_ = []
        for record in list(self.findings.values()):
            if record.finding.schedule or record.finding.rule.startswith("stall.") or not record.seen:
                continue
            if _CONTROLLED & record.seen.keys():
                self._not_reproduced(record, _AT_ONCE)
            else:
                open_.append(record)
        # If threads draw, each finding has its own program: the operations that they drew in that round.
        apart = [open_] if self.target.scenario.mix is None else [[record] for record in open_]
        for n, some in enumerate(apart if open_ else ()):
            self._search(some, len(apart) - n)

    def _search(self, open_: Sequence[FindingRecord], shares: int) -> None:
        """Search for ``open_`` under control, within 1/``shares`` of the time that is left."""
        longest = _LONGEST_REPRODUCE_S * len(open_)
        budget = max(_SHORTEST_REPRODUCE_S, min(self._left() / shares, longest))
        self.tell("cell_started", *self.target.name, "reproduce", budget)
        found: Mapping[str, Finding] = {}
        drawn: Scenario | None = None
        program: Program | None = self.program
        with suppress(KeyboardInterrupt, ProgramError), self.stop.interruptible():
            end = perf_counter() + budget
            if self.target.scenario.mix is not None:
                # Imported only here: few scenarios draw their operations.
                from .rounds import smallest_round

                drawn = smallest_round(self.target, open_[0].finding, budget, self.stop)
                program = None if drawn is None else drawn.program(self.target.choice.code)
            if program is not None:
                left, wanted = max(_SHORTEST_S, end - perf_counter()), [one.finding for one in open_]
                progress = self.stop.checked(lambda progress: None)
                found = modes.reproduce(program, wanted, left, self.plan.seed, progress=progress)
        for record in open_:
            again = found.get(record.finding.signature)
            if again is None:
                why = "interrupted" if self.stop.over else f"not within {budget:.3g} s under control"
                self._not_reproduced(record, why)
                continue
            shown = replace(record, finding=again)
            if drawn is not None:
                shown = replace(shown, threads=tuple(drawn.threads), source=drawn.text)
            self._tell(record.showing(shown))

    def _not_reproduced(self, record: FindingRecord, why: str) -> None:
        evidence = {**record.finding.evidence, "reproduced": False, "not_reproduced": why}
        self._tell(replace(record, finding=replace(record.finding, evidence=evidence)))

    def _compare(self) -> None:
        """Check whether the proof excludes a finding of another mode, and note why."""
        if not self.stop.over:
            with suppress(KeyboardInterrupt), self.stop.interruptible():
                self.cell = compared(self.cell, list(self.findings.values()), self.program)
