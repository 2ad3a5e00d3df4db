"""Find out which lock acquisitions of a protocol are needed: remove each one, and swap each nested pair."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from .. import vgic
from ..engine.explain.removal import Change, LockSite, Watch, watched
from ..errors import ProgramError, ResultError, UsageError
from ..findings import Finding, Result, Verdict
from ..findings.rules import Kind, kind
from ..program import Program
from ..records import FindingRecord
from ..scenario.scenario import Scenario
from ..scenario.selection import Choice, Target, load_protocol
from . import modes
from .budget import FEW
from .child import Link
from .place import scenario_at
from .stop import Stop

NEEDED, NOT_NEEDED, OPEN = "needed", "not needed", "open"

_LAST = ("lock_order.inversion", "data_race")
_SEVERITY = (Kind.DEADLOCK, Kind.CORRUPTION, Kind.CRASH, Kind.PREDICTION)
"""Kinds of rules; the best evidence that a lock is needed comes first."""
_HIDES = ("deadlock.", "crash.", "program.", "stall.")
"""Rules that end an execution where they break, and so may hide later effects of a change."""
_CELL_S = 20.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Breakage:
    """A rule that breaks in ``scenario`` with the change, and does not without it.

    For a predicted inversion ``label`` says whether it was confirmed.
    """

    scenario: str
    rule: str
    label: str
    preemptions: int | None
    finding: FindingRecord


@dataclass
class Answer:
    """The result of verifying one change, over all scenarios that reach it.

    ``open`` lists the scenarios whose search did not finish, with or without the change.  A
    search without the change that did not finish may have missed schedules that reach it.
    """

    change: Change
    scenarios: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    spoilt: list[str] = field(default_factory=list)
    """Scenarios that end early even without the change, which may hide what the change breaks;
    and scenarios that break a known rule in a new way with the change."""
    astray: list[str] = field(default_factory=list)
    """Scenarios in which the lock taken early was not always the inner lock of the pair."""
    breaks: list[Breakage] = field(default_factory=list)
    executions: int = 0

    @property
    def verdict(self) -> str:
        if self.breaks:
            return NEEDED
        unclear = self.open or self.astray or len(self.spoilt) == len(self.scenarios)
        return OPEN if unclear else NOT_NEEDED

    def best(self) -> Breakage | None:
        """The breakage that shows best why the lock is needed: no mere prediction, few preemptions."""
        return min(self.breaks, key=_order, default=None)


def _order(breakage: Breakage) -> tuple[bool, int, int, int, str]:
    rule, schedule = breakage.rule, breakage.finding.finding.schedule
    severity = _SEVERITY.index(kind(rule))
    return rule in _LAST, breakage.preemptions or 0, severity, len(schedule), breakage.scenario


@dataclass(frozen=True)
class _Reference:
    """A scenario under the unchanged protocol; ``complete`` if every schedule of it was run."""

    scenario: Scenario
    program: Program
    watch: Watch
    known: frozenset[str]
    happens: frozenset[str]
    signatures: frozenset[str]
    complete: bool


@dataclass
class Ablation:
    """All answers for one protocol; ``interrupted`` if the user stopped the command."""

    protocol: str
    scenarios: list[str]
    breaks: dict[str, list[str]] = field(default_factory=dict)
    """The rules that the unchanged protocol breaks, by scenario, without predictions and data races."""
    known: dict[str, list[str]] = field(default_factory=dict)
    """As ``breaks``, with the signatures of predictions and data races added."""
    answers: list[Answer] = field(default_factory=list)
    executions: int = 0
    seconds: float = 0.0
    interrupted: bool = False


def ablate(
    choice: Choice, scenarios: Sequence[Scenario], seconds: float, stop: Stop, say: Say = lambda text: None
) -> Ablation:
    """Verify every change of ``choice`` in every scenario that reaches it, within ``seconds``.

    UsageError if a scenario is not one of the vGIC, or if ``choice`` is a variant.
    """
    return _Run(choice, scenarios, seconds, stop, say).go()


def in_child(link: Link, spec: str, scenarios: Sequence[tuple[str, str]], seconds: float) -> Ablation:
    """Run ``ablate`` in a child process of a pool; ``scenarios`` are (name, path)."""
    choice = load_protocol(spec)
    loaded = [scenario_at(name, path) for name, path in scenarios]
    there = [scenario for scenario in loaded if scenario.exists_under(choice.code)]
    return ablate(choice, there, seconds, link.stop, partial(link.tell, "say"))


class _Run:
    def __init__(
        self, choice: Choice, scenarios: Sequence[Scenario], seconds: float, stop: Stop, say: Say
    ) -> None:
        if isinstance(choice.code, str):
            raise UsageError(f"{choice.id} is a variant, not a protocol. Name a protocol.")
        for scenario in scenarios:
            if scenario.initial is None:
                raise UsageError(f"{scenario.path}: a Python scenario has no protocol to take locks from.")
            if scenario.mix is not None:
                raise UsageError(f"{scenario.path}: threads that draw cannot be verified. Name another one.")
        self.choice, self.scenarios = choice, scenarios
        self.stop, self.say = stop, say
        self.deadline = time.perf_counter() + seconds
        self.result = Ablation(choice.id, [s.name for s in scenarios])
        self._doing = ""

    def go(self) -> Ablation:
        started = time.perf_counter()
        references = [self._reference(scenario) for scenario in self.scenarios]
        for change in _changes(references):
            if self.stop.asked:
                break
            self._say(str(change))
            self.result.answers.append(self._answer(change, references))
        self.result.interrupted = self.stop.asked
        self.result.seconds = time.perf_counter() - started
        return self.result

    def _reference(self, scenario: Scenario) -> _Reference:
        program, watch = scenario.program(self.choice.code), Watch()
        self._say(f"{scenario.name} as it is")
        result = self._verify(watched(program, watch, vgic.system_states))
        findings = result.findings if result is not None else ()
        happens = frozenset(f.rule for f in findings if f.rule not in _LAST)
        if happens:
            self.result.breaks[scenario.name] = sorted(happens)
        if findings:
            self.result.known[scenario.name] = sorted(set(map(_known, findings)))
        known, signatures = frozenset(map(_known, findings)), frozenset(f.signature for f in findings)
        return _Reference(scenario, program, watch, known, happens, signatures, _whole(result))

    def _verify(self, program: Program) -> Result | None:
        """Verify ``program`` once; None if the user stopped it."""
        if self.stop.asked:
            return None
        left = min(self.deadline - time.perf_counter(), _CELL_S)
        try:
            with self.stop.interruptible():
                result = modes.verify(
                    program, seconds=left, least=FEW, progress=lambda progress: self.say(self._doing)
                )
        except KeyboardInterrupt:
            return None
        self.result.executions += result.executions
        return result

    def _say(self, doing: str) -> None:
        self._doing = f"{self.choice.id}: {doing}"
        self.say(self._doing)

    def _answer(self, change: Change, references: Iterable[_Reference]) -> Answer:
        answer = Answer(change)
        for reference in references:
            name = reference.scenario.name
            if not reference.complete:
                answer.open.append(name)
            if not _reached(change, reference.watch):
                continue
            answer.scenarios.append(name)
            if any(rule.startswith(_HIDES) for rule in reference.happens):
                answer.spoilt.append(name)
            self._ask(answer, reference)
        return answer

    def _ask(self, answer: Answer, reference: _Reference) -> None:
        """Verify the scenario of ``reference`` with the change, and add the result to ``answer``."""
        watch = Watch(answer.change, taken=dict(reference.watch.taken))
        program = watched(reference.program, watch, vgic.system_states)
        try:
            result = self._verify(program)
        except ProgramError:
            # With the change, the program is one that the search cannot run.
            result = None
        if result is not None:
            answer.executions += result.executions
        if not reference.complete:
            # The same rule may break without the change, in a schedule that was not searched.
            return
        if watch.astray:
            answer.astray.append(reference.scenario.name)
            return
        if not _whole(result):
            answer.open.append(reference.scenario.name)
        if result is None:
            return
        new = [f for f in result.findings if _known(f) not in reference.known]
        otherwise = [f for f in result.findings if f not in new and f.signature not in reference.signatures]
        if otherwise and reference.scenario.name not in answer.spoilt:
            answer.spoilt.append(reference.scenario.name)
        answer.breaks += [self._breakage(reference.scenario, program, watch, f) for f in new]

    def _breakage(self, scenario: Scenario, program: Program, watch: Watch, finding: Finding) -> Breakage:
        changed = replace(finding, signature=f"{finding.signature} ({watch.change})")
        record = Target(scenario, self.choice).record(changed, "verify", program.actors)
        record = replace(record, ablation=_stored(watch))
        label = finding.evidence.get("confirmation", {}).get("label", "")
        return Breakage(scenario.name, finding.rule, label, finding.evidence.get("preemptions"), record)


def _known(finding: Finding) -> str:
    """The key by which a breakage counts as known without the change.

    It is the rule; for a prediction or a data race, the signature of that one ring or race.
    """
    return finding.signature if finding.rule in _LAST else finding.rule


def _whole(result: Result | None) -> bool:
    """Whether ``result`` covers every schedule."""
    return result is not None and result.complete and result.verdict is not Verdict.UNKNOWN


def _changes(references: Iterable[_Reference]) -> Iterator[Change]:
    sites, pairs = set[LockSite](), set[tuple[LockSite, LockSite]]()
    for reference in references:
        sites |= reference.watch.sites
        pairs |= reference.watch.pairs
    for site in sorted(sites):
        yield Change(remove=site)
    for outer, inner in sorted(pairs):
        yield Change(outer=outer, inner=inner)


def _reached(change: Change, watch: Watch) -> bool:
    if change.remove is not None:
        return change.remove in watch.sites
    return (change.outer, change.inner) in watch.pairs


# -- the change, as a finding stores it


def _stored(watch: Watch) -> dict[str, Any]:
    change = watch.change
    assert change is not None
    taken = [
        [lock, inner]
        for (outer, site, lock), inner in sorted(watch.taken.items())
        if (outer, site) == (change.outer, change.inner)
    ]
    return {**change.as_json(), "taken": taken}


def as_found(program: Program, record: FindingRecord, file: str) -> Program:
    """``program`` with the change, if any, under which the finding stored in ``file`` was made."""
    stored = record.ablation
    if stored is None:
        return program
    remove, outer, inner = (
        LockSite(*stored[key]) if stored.get(key) else None for key in ("remove", "outer", "inner")
    )
    if (remove is None) == (outer is None) or (outer is None) != (inner is None):
        raise ResultError(f"{file}: ablation: neither a site to remove nor a pair. Store the finding again.")
    watch = Watch(Change(remove, outer, inner))
    if outer is not None and inner is not None:
        watch.taken.update({(outer, inner, lock): within for lock, within in stored.get("taken") or ()})
    return watched(program, watch, vgic.system_states)


def as_json(ablation: Ablation, store: Callable[[FindingRecord], str]) -> dict[str, Any]:
    """Return ``ablation`` as JSON; ``store`` stores the best finding of an answer and returns its path."""
    answers = []
    for answer in ablation.answers:
        best, shown = answer.best(), None
        if best is not None:
            path = store(best.finding)
            replay = shlex.join(["racebench", "replay", path, *best.finding.replay_args])
            kept = {key: getattr(best, key) for key in ("scenario", "rule", "label", "preemptions")}
            shown = {**kept, "path": path, "replay": replay}
        told = {
            "what": str(answer.change),
            "change": answer.change.as_json(),
            "verdict": answer.verdict,
            "best": shown,
            "breaks": [[b.scenario, b.rule] for b in sorted(answer.breaks, key=_order)],
        }
        answers.append({**vars(answer), **told})
    return {**vars(ablation), "answers": answers, "seconds": round(ablation.seconds, 3)}
