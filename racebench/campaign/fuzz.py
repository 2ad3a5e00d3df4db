"""Draw random small scenarios under one protocol, to find faults that no bundled scenario shows.

Each drawn scenario is searched for a moment.  A signature that is new to this
run is kept once: its scenario is made as small as possible, verified, and stored
as a scenario file beside the findings.  A signature that a bundled scenario shows
too is only named.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from .. import vgic
from ..errors import ProgramError, UsageError
from ..records import Cell, FindingRecord, Run, did
from ..scenario.scenario import Scenario, scenario_from_text
from ..scenario.selection import Choice, Target, bundled, load_protocol, stored_name
from ..scenario.text import Heading, scenario_text
from ..vgic.drawing import STATES, Drawn, draw
from ..vgic.reduction import smallest
from . import modes
from .budget import FEW
from .cell import Plan, Tell
from .cell_run import run_cell
from .child import Link
from .ledger import host
from .stop import Stop
from .store import RunFolder
from .vacuity import function_of, instead, word_of

_LOOK, _LOOK_AGAIN = 120, 400
_COVER_S, _VERIFY_S = 2.0, 20.0
_SOURCE = "drawn at random: racebench fuzz"


@dataclass(frozen=True)
class Met:
    """One signature, and the drawn scenario that showed it first.

    ``covered`` names a bundled scenario that shows it too.  Without one the signature is
    new, and ``scenario`` is the reduced scenario; empty if the signature was not found again.
    """

    rule: str
    signature: str
    after: int
    seconds: float
    covered: str = ""
    scenario: str = ""
    cell: Cell | None = None


@dataclass
class Fuzzed:
    """The result of a fuzz run."""

    protocol: str
    seed: int
    drawn: int = 0
    seconds: float = 0.0
    met: list[Met] = field(default_factory=list)
    interrupted: bool = False
    returned: dict[str, set[str]] = field(default_factory=dict)
    """The codes that each operation, by its name, has returned."""

    @property
    def new(self) -> list[Met]:
        return [met for met in self.met if not met.covered]


@dataclass(frozen=True)
class Assignment:
    """A fuzz run to be done: the protocol ``spec``, for so many ``seconds``.

    ``state`` fixes the domain's state.  The same seed draws the same scenarios
    in the same order.
    """

    spec: str
    seconds: float
    seed: int = 0
    state: str | None = None


def fuzz(assignment: Assignment, folder: RunFolder, tell: Tell, stop: Stop) -> Fuzzed:
    """Draw scenarios until the time is over or a stop is requested.

    ``tell`` gets "progress" (drawn, seconds) and "met" (Met).  New findings are stored in
    ``folder`` at once.  UsageError if the protocol is a variant.
    """
    if assignment.state is not None and assignment.state not in STATES:
        raise UsageError(f"{assignment.state!r} is no state. Choose one of {', '.join(STATES)}.")
    return _Run(assignment, folder, tell, stop).go()


def in_child(link: Link, assignment: Assignment, out: Path) -> tuple[Run, bool]:
    """Run ``fuzz`` in a child of a pool, into a new folder; return the run, and whether anything is new."""
    folder = RunFolder(out)
    fuzzed = fuzz(assignment, folder, link.tell, link.stop)
    run = run_record(fuzzed, assignment, list(_vacuous(fuzzed, load_protocol(assignment.spec))))
    folder.finish(run)
    return run, bool(fuzzed.new)


def _vacuous(fuzzed: Fuzzed, choice: Choice) -> Iterator[dict[str, str]]:
    """Yield the operations that never succeeded in any drawn scenario, each with a command to run instead."""
    for word, codes in sorted(fuzzed.returned.items()):
        if all(code[:1] == "-" for code in codes):
            said = f"{function_of(word)} {did(codes)} in all that was drawn"
            yield {"said": said, "instead": instead(choice, [word])}


class _Run:
    def __init__(self, assignment: Assignment, folder: RunFolder, tell: Tell, stop: Stop) -> None:
        self.choice = load_protocol(assignment.spec)
        if isinstance(self.choice.code, str):
            raise UsageError(f"{self.choice.id} is a variant, not a protocol. Name a protocol.")
        self.code, self.seed, self.state = self.choice.code, assignment.seed, assignment.state
        self.folder, self.tell, self.stop = folder, tell, stop
        self.rng = random.Random(assignment.seed)
        self.fuzzed = Fuzzed(self.choice.id, assignment.seed)
        self.known: set[str] = set()
        self.searched: set[tuple[object, ...]] = set()
        self.started = time.perf_counter()
        self.deadline = self.started + assignment.seconds

    def go(self) -> Fuzzed:
        fuzzed = self.fuzzed
        try:
            with self.stop.interruptible():
                while not self.stop.over and time.perf_counter() < self.deadline:
                    self._one()
        except KeyboardInterrupt:
            pass
        fuzzed.interrupted = self.stop.asked
        fuzzed.seconds = time.perf_counter() - self.started
        return fuzzed

    @cached_property
    def _covered(self) -> dict[str, str]:
        """Map each signature that a bundled scenario shows under this protocol to that scenario.

        Computed when the first signature is found, so that a short run does not spend all its time on it.
        """
        covered: dict[str, str] = {}
        for scenario in bundled():
            if not scenario.threads or not scenario.exists_under(self.code) or self.stop.over:
                continue
            result = modes.verify(scenario.program(self.code), seconds=_COVER_S, least=FEW)
            for finding in result.findings:
                covered.setdefault(finding.signature, scenario.name)
            self._tell()
        return covered

    def _tell(self) -> None:
        self.tell("progress", self.fuzzed.drawn, time.perf_counter() - self.started)

    def _one(self) -> None:
        drawn = draw(self.rng, self.code.ABSENT, self.state, self.code.ESPIS)
        self.fuzzed.drawn += 1
        self._tell()
        if drawn.key() in self.searched:
            return
        self.searched.add(drawn.key())
        met = self._look(drawn, _LOOK)
        for operation, codes in met.returned.items():
            self.fuzzed.returned.setdefault(word_of(operation), set()).update(codes)
        for signature, rule in met.rules.items():
            if signature not in self.known:
                self.known.add(signature)
                self._meet(drawn, signature, rule, self._covered.get(signature, ""))

    def _look(self, drawn: Drawn, executions: int, wanted: str = "") -> modes.Glance:
        if vgic.broken_at_start(drawn.initial, drawn.threads, self.code) is not None:
            # A rule is broken before any thread runs, so no thread has caused it.
            return modes.Glance({}, {})
        try:
            return modes.glance(self._program("drawn", drawn), executions, self.seed, wanted=wanted)
        except ProgramError:
            return modes.Glance({}, {})

    def _program(self, name: str, drawn: Drawn) -> Any:
        return vgic.build_program(name, drawn.initial, drawn.threads, self.code)

    def _meet(self, drawn: Drawn, signature: str, rule: str, covered: str) -> None:
        after, seconds = self.fuzzed.drawn, time.perf_counter() - self.started
        met = Met(rule, signature, after, seconds, covered)
        if not covered:
            met = self._kept(self._small(drawn, signature), met)
        self.fuzzed.met.append(met)
        self.tell("met", met)

    def _small(self, drawn: Drawn, signature: str) -> Drawn:
        return smallest(drawn, lambda small: signature in self._look(small, _LOOK_AGAIN, signature).rules)

    def _kept(self, drawn: Drawn, met: Met) -> Met:
        """Verify and store ``drawn``; every signature that it shows is known from now on."""
        name = f"fuzz_{len(self.fuzzed.new) + 1:03d}_{met.rule.replace('.', '_')}"
        target = Target(self._scenario(name, drawn, met, None), self.choice)
        records: dict[str, FindingRecord] = {}

        def tell(word: str, *what: Any) -> None:
            if word == "finding":
                records[what[0].finding.signature] = what[0]

        result = run_cell(target, Plan(("verify",), self.seed), _VERIFY_S, tell, self.stop)
        found = sorted(records)
        if met.signature not in found:
            return met
        rules = sorted({records[s].finding.rule for s in found})
        scenario = self._scenario(name, drawn, met, rules)
        path = self.folder.add_scenario(f"{name}.toml", scenario.text)
        paths = []
        for signature in found:
            seen, file = result.seen[signature], stored_name(path)
            record = replace(records[signature], seen=seen, source=scenario.text, scenario_file=file)
            paths.append(self.folder.add_finding(record))
            self.known.add(signature)
        done = replace(result.cell, findings=tuple(paths))
        self.folder.add_cell(done)
        return Met(met.rule, met.signature, met.after, met.seconds, "", str(path), done)

    def _scenario(self, name: str, drawn: Drawn, met: Met, rules: Sequence[str] | None) -> Scenario:
        bundled_id = self.choice.id in vgic.protocol_ids()
        protocol = self.choice.id if bundled_id else "*"
        comment = (
            f"Drawn by `racebench fuzz {self.choice.id} --seed {self.seed}` as scenario {met.after}, "
            f"then made as small as it gets. It shows\n\n{met.signature}"
        )
        title = f"{met.rule}: {' || '.join('; '.join(map(str, ops)) for ops in drawn.threads.values())}"
        heading = Heading(title, _SOURCE, ["fuzz"], comment)
        text = scenario_text(heading, drawn, {protocol: rules or []})
        return scenario_from_text(Path(f"{name}.toml"), text)


def run_record(fuzzed: Fuzzed, assignment: Assignment, vacuous: Sequence[Mapping[str, str]] = ()) -> Run:
    """The run: a cell for each new scenario; ``fuzz`` lists all signatures that were found."""
    met = [
        {
            "rule": met.rule,
            "signature": met.signature,
            "after": met.after,
            "seconds": round(met.seconds, 3),
            "covered": met.covered or None,
            "scenario": met.scenario or None,
        }
        for met in fuzzed.met
    ]
    options = {
        "protocols": [fuzzed.protocol],
        "seconds": assignment.seconds,
        "seed": fuzzed.seed,
        "state": assignment.state,
    }
    return Run(
        tuple(met.cell for met in fuzzed.met if met.cell is not None),
        options,
        host(),
        wall_s=round(fuzzed.seconds, 3),
        interrupted=fuzzed.interrupted,
        fuzz={"protocol": fuzzed.protocol, "drawn": fuzzed.drawn, "met": met, "vacuous": list(vacuous)},
    )
