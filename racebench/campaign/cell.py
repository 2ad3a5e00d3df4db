"""One cell: a scenario under a protocol, in every mode asked for, and its verdict."""

from __future__ import annotations

import itertools
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from .. import engine
from ..errors import ProgramError, is_ours, told
from ..findings import CellVerdict, Finding, Result
from ..scenario.scenario import scenario_from_text
from ..trace import switches
from . import modes
from .child import Link
from .contradictions import Contradiction, covered, excluded, explained
from .place import Place
from .rounds import smallest_round
from .stop import Stop
from .told import (
    Cell,
    Earlier,
    Merged,
    cell_record,
    explore_record,
    finding_from_record,
    finding_record,
    stress_record,
    verify_record,
)

_VERIFY_SHARE = 0.6
_VERIFY_AT_LEAST_S = 1.0
_REPRODUCE_SHARE = 0.1
_SHORTEST_S, _SHORTEST_REPRODUCE_S, _LONGEST_REPRODUCE_S = 0.05, 0.5, 10.0
_CONTROLLED = {"verify", "explore"}
_AT_ONCE = "it happens before the first step, so there is no schedule to replay"
_SLICE_S = 10.0
_SLACK_S = 30.0
_SLICE_SEED = 1_000_003


@dataclass(frozen=True)
class Plan:
    """What is done with each cell; ``executions`` limits explore, None is by time."""

    modes: tuple[str, ...] = ("verify", "stress")
    seed: int = 0
    preemptions: int | None = None
    strategy: str = "portfolio"
    executions: int | None = None


class CellListener(Protocol):
    """Hears what goes on in a cell."""

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None: ...

    def cell_so_far(self, cell: dict[str, Any]) -> None:
        """What a cell has come to that goes on, as it is stored."""

    def finding(self, finding: dict[str, Any]) -> None:
        """A finding is new, or has more to say than when it was last told."""


@dataclass
class CellResult:
    """One cell's outcome as it is stored, without the paths of its findings."""

    cell: dict[str, Any]
    signatures: list[str]
    interrupted: bool = False


def run_cell(
    cell: Cell,
    plan: Plan,
    seconds: float,
    listener: CellListener,
    stop: Stop,
    earlier: Earlier | None = None,
) -> CellResult:
    """Run one cell within about ``seconds``, less what it took ``earlier``; what it has is kept.

    Findings are told as soon as they are known, and again when they have a
    schedule and their final count.  What is wrong with the program itself
    (ProgramError, or a deadline that ``stop`` knows of) is the cell's
    ``error``, and its verdict is unknown.
    """
    run = None
    try:
        run = _CellRun(cell, plan, seconds, listener, stop)
        return run.go(earlier or Earlier())
    except OSError:
        # Whoever listens cannot store what it hears, or is gone: that is everybody's.
        raise
    except Exception as error:
        return failed(cell, error, run)


def in_child(link: Link, place: Place, plan: Plan, seconds: float, earlier: Earlier) -> CellResult:
    """``run_cell`` in a child of a pool: tells the parent, as messages, what a listener hears."""
    return run_cell(place.cell(), plan, seconds, _Relay(link), link.stop, earlier)


class _Relay:
    """A cell's listener in a child."""

    def __init__(self, link: Link) -> None:
        self.cell_started = partial(link.tell, "cell_started")
        self.cell_progress = partial(link.tell, "cell_progress")
        self.cell_so_far = partial(link.tell, "cell_so_far")
        self.finding = partial(link.tell, "finding")


def failed(cell: Cell, error: Exception, run: _CellRun | None = None) -> CellResult:
    """What ``run`` had, and that ``error`` ended it; in the record ``failed`` says that the fault is ours."""
    ours = is_ours(error)
    why = f"RaceBench itself failed: {told(error)}" if ours else str(error)
    if ours and os.environ.get("RACEBENCH_DEBUG") == "1":
        traceback.print_exception(error)
    if run is None:
        result = CellResult(cell_record(cell, (), {}, None, True, why), [])
    else:
        run.error = why
        result = run.result()
    return replace(result, cell={**result.cell, "failed": True}) if ours else result


def _slices(end: float, stop: Stop) -> Iterator[tuple[int, float]]:
    """Number and seconds of each slice of stress until ``end``; at least one."""
    for n in itertools.count():
        left = end - time.perf_counter()
        if (n and left < _SHORTEST_S) or stop.over:
            return
        yield n, max(_SHORTEST_S, min(left, _SLICE_S))


def allowed_s(seconds: float) -> float:
    """By when what has a budget of ``seconds`` must be over, whatever happens in it."""
    return _SLACK_S + 3 * seconds


def limit_s(plan: Plan, seconds: float) -> float | None:
    """By when a cell of ``seconds`` must be over; None if its executions are counted."""
    return None if plan.executions is not None else allowed_s(seconds)


class _CellRun:
    """One cell while it is run."""

    def __init__(self, cell: Cell, plan: Plan, seconds: float, listener: CellListener, stop: Stop) -> None:
        self.cell, self.plan, self.listener, self.stop = cell, plan, listener, stop
        self.program = cell.scenario.program(cell.choice.code)
        # Threads that draw do not do the same twice: nothing of them can be proved.
        self.asked = plan.modes if cell.scenario.mix is None else ("stress",)
        self.seconds = seconds
        self.deadline = time.perf_counter() + seconds
        self.merged: dict[str, Merged] = {}
        self.told: dict[str, int] = {}
        self.modes: dict[str, dict[str, Any]] = {}
        self.started: set[str] = set()
        self.error = ""
        self.unseen: dict[str, None] = {}
        self.contradiction: Contradiction | None = None

    def go(self, earlier: Earlier) -> CellResult:
        self.modes.update(earlier.modes)
        self.deadline -= min(self.seconds, earlier.seconds)
        for stored in earlier.findings:
            finding = finding_from_record(stored)
            merged = Merged(finding, dict(stored.get("seen") or {}))
            if self.cell.scenario.mix is not None and finding.schedule and stored.get("source"):
                merged.scenario = scenario_from_text(self.cell.scenario.path, stored["source"])
            self.merged[finding.signature] = merged
        # The proof comes first: it is often quick, what it leaves goes to stress,
        # and what it finds has a schedule already.
        runs: dict[str, Callable[[], None]] = {
            "verify": self._verify, "stress": self._stress, "explore": self._explore,
        }  # fmt: skip
        for mode, run in runs.items():
            if mode in self.asked and not self.stop.over and not self.error:
                run()
        self._reproduce()
        self._compare()
        return self.result()

    def result(self) -> CellResult:
        interrupted = self.stop.asked
        record = self._cell_record(interrupted)
        order = sorted(self.merged.values(), key=lambda m: (m.finding.rule, m.finding.signature))
        return CellResult(record, [m.finding.signature for m in order], interrupted)

    def _cell_record(self, cut_off: bool) -> dict[str, Any]:
        proved = None
        if "verify" in self.asked:
            proved = self.modes.get("verify", {}).get("complete", False)
        rules = [m.finding.rule for m in self.merged.values()]
        error = self.error or self.stop.why
        record = cell_record(self.cell, rules, self.modes, proved, cut_off, error, list(self.unseen))
        return record if self.contradiction is None else contradicted(record, self.contradiction)

    # -- modes

    def _left(self) -> float:
        return max(_SHORTEST_S, self.deadline - time.perf_counter())

    def _verify(self) -> None:
        if "verify" in self.modes:
            return
        alone = self.plan.modes == ("verify",)
        budget = max(_VERIFY_AT_LEAST_S, self._left() * (1.0 if alone else _VERIFY_SHARE))
        how = {"preemptions": self.plan.preemptions, "seconds": budget}
        result = self._call("verify", budget, modes.verify, **how)
        if result is not None:
            self.modes["verify"] = verify_record(result)

    def _stress(self) -> None:
        """Hammer in slices, so that what a long run finds is told, and stored, on the way."""
        end = time.perf_counter() + self._left() - self.seconds * _REPRODUCE_SHARE
        # Beyond the seeds of the slices that were run before this one was cut off.
        before = self.modes.get("stress", {}).get("seconds", 0)
        first = 1 + int(before / _SLICE_S) if before else 0
        for n, budget in _slices(end, self.stop):
            left = max(budget, end - time.perf_counter())
            seed = self.plan.seed + (first + n) * _SLICE_SEED
            result = self._call("stress", left, modes.stress, seconds=budget, seed=seed)
            if result is None:
                break
            self._add_stress(result)
            self.listener.cell_so_far(self._cell_record(True))
            if result.stats.get("lost"):
                break

    def _add_stress(self, result: Result) -> None:
        self.modes["stress"] = stress_record(result, self.modes.get("stress"))

    def _explore(self) -> None:
        executions = self.plan.executions
        result = self._call(
            "explore",
            self._left() if executions is None else 0.0,
            modes.explore,
            strategy=self.plan.strategy,
            executions=10**9 if executions is None else executions,
            seed=self.plan.seed,
            seconds=self._left() if executions is None else None,
        )
        if result is not None:
            self.modes["explore"] = explore_record(result, self.plan.strategy)

    def _call(self, mode: str, budget: float, run: Callable[..., Result], **how: Any) -> Result | None:
        """One engine call, its findings taken in; None if it ended with nothing to say."""
        scenario, protocol = self.cell.name
        base = self.modes.get(mode, {})
        done, failed, spent = (base.get(k, 0) for k in ("collisions", "failures", "seconds"))
        if mode not in self.started:
            self.started.add(mode)
            self.listener.cell_started(scenario, protocol, mode, budget)

        def progress(p: engine.Progress) -> None:
            total = replace(
                p, executions=p.executions + done, failures=p.failures + failed, seconds=p.seconds + spent
            )
            self.listener.cell_progress(scenario, protocol, mode, total)

        try:
            with self.stop.interruptible():
                result = run(self.program, progress=self.stop.checked(progress), **how)
        except KeyboardInterrupt:
            return None
        except ProgramError as error:
            self.error = str(error)
            for finding in error.findings:
                self._take(mode, finding)
            return None
        for finding in result.findings:
            self._take(mode, finding)
        self.unseen.update(dict.fromkeys(result.stats.get("unseen", ())))
        return result

    # -- findings

    def _take(self, mode: str, finding: Finding) -> None:
        known = self.merged.get(finding.signature)
        if known is None:
            known = self.merged[finding.signature] = Merged(finding)
        elif _better(finding, known.finding):
            known.finding = replace(finding, mode=known.finding.mode, after=known.finding.after)
        known.seen[mode] = known.seen.get(mode, 0) + finding.count
        # New, or twice as often: what is stored of a run that is cut off is not far from the truth.
        count = sum(known.seen.values())
        if count >= 2 * self.told.get(finding.signature, 0):
            self.told[finding.signature] = count
            self.listener.finding(self._record(known))

    def _reproduce(self) -> None:
        """Give each finding of the free run a schedule, or say that the budget ended first."""
        open_ = []
        for merged in self.merged.values():
            if merged.finding.schedule or merged.finding.rule.startswith("stall."):
                continue
            if _CONTROLLED & merged.seen.keys():
                _not_reproduced(merged, _AT_ONCE)
            else:
                open_.append(merged)
        if self.cell.scenario.mix is None:
            self._search(open_, 1)
        else:
            # What threads draw is a program of its own for each finding.
            for n, merged in enumerate(open_):
                self._search([merged], len(open_) - n)
        for merged in self.merged.values():
            self.listener.finding(self._record(merged))

    def _compare(self) -> None:
        """Whether what was found is excluded by the proof, and why."""
        if not covered(self.modes.get("verify"), self.unseen):
            return
        odd = excluded((merged.finding, merged.seen) for merged in self.merged.values())
        if odd and not self.stop.over:
            try:
                with self.stop.interruptible():
                    self.contradiction = explained(self.program, odd[0], list(self.unseen))
            except KeyboardInterrupt:
                return

    def _search(self, open_: Sequence[Merged], shares: int) -> None:
        """Look for ``open_`` under control, in one of ``shares`` parts of the time that is left."""
        if not open_:
            return
        longest = _LONGEST_REPRODUCE_S * len(open_)
        budget = max(_SHORTEST_REPRODUCE_S, min(self._left() / shares, longest))
        self.listener.cell_started(*self.cell.name, "reproduce", budget)
        try:
            with self.stop.interruptible():
                found = self._found_again(open_, budget)
        except (KeyboardInterrupt, ProgramError):
            found = {}
        for merged in open_:
            old, again = merged.finding, found.get(merged.finding.signature)
            if again is None:
                why = "interrupted" if self.stop.over else f"not within {budget:.3g} s under control"
                _not_reproduced(merged, why)
                continue
            merged.finding = replace(
                again, mode=old.mode, strategy=old.strategy, seed=old.seed, after=old.after
            )

    def _found_again(self, open_: Sequence[Merged], budget: float) -> dict[str, Finding]:
        end = time.perf_counter() + budget
        program = self.program
        if self.cell.scenario.mix is not None:
            [merged] = open_
            merged.scenario = smallest_round(self.cell, merged.finding, budget, self.stop)
            if merged.scenario is None:
                return {}
            program = merged.scenario.program(self.cell.choice.code)
        wanted = [merged.finding for merged in open_]
        left = max(_SHORTEST_S, end - time.perf_counter())
        progress = self.stop.checked(lambda progress: None)
        return modes.reproduce(program, wanted, left, self.plan.seed, progress=progress)

    def _record(self, merged: Merged) -> dict[str, Any]:
        actors = self.program.actors if merged.scenario is None else merged.scenario.threads
        return finding_record(self.cell, list(actors), merged)


def contradicted(record: dict[str, Any], contradiction: Contradiction) -> dict[str, Any]:
    """``record`` of a cell in which a proof and a finding exclude one another: nothing is known."""
    told = {**record, "verdict": CellVerdict.UNKNOWN.value, "contradicted": True}
    if contradiction.ours:
        return {**told, "error": contradiction.said, "failed": True}
    return {**told, "unseen": [contradiction.said]}


def _not_reproduced(merged: Merged, why: str) -> None:
    evidence = {**merged.finding.evidence, "reproduced": False, "not_reproduced": why}
    merged.finding = replace(merged.finding, evidence=evidence)


def _better(new: Finding, old: Finding) -> bool:
    """Whether ``new`` shows the same thing with a shorter schedule, or at all with one."""
    if not new.schedule:
        return False
    key = (switches(new.schedule), len(new.schedule))
    return not old.schedule or key < (switches(old.schedule), len(old.schedule))
