"""What is stored of a run: Run, Cell, ModeResult and FindingRecord, as JSON and back.

Reading checks everything once, here: whoever has a record need not ask again.
Unknown keys are ignored; a value that is not of the shape that RaceBench writes
is a ResultError that names the file and the key.  Nothing here runs code or
opens a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from .bounds import Fields, beyond, fits
from .errors import ResultError
from .findings import FEWEST_COLLISIONS, CellVerdict, Finding, Result, counted, miss_bound
from .trace import Schedule, schedule_from_json, switches

VERSION = "0.1.0"
SCHEMA = 1

_NOTHING: Mapping[str, Any] = {}


# -- modes


# The fields of a ModeResult that each mode has; the keys of stress in JSON, where they are others.
_MODE_FIELDS: Mapping[str, Sequence[str]] = {
    "stress": ("executions", "failures", "first_failure", "seconds"),
    "verify": ("complete", "executions", "preemption_bound", "done", "seconds"),
    "explore": ("strategy", "executions", "failures", "first_failure", "seconds", "strategies"),
}
# Those that are left out if they have nothing to say.
_MODE_MORE = ("returned", "idle")
_STRESS_KEYS = {"executions": "collisions", "first_failure": "first_failure_s"}
MODES = tuple(_MODE_FIELDS)
Counts = Mapping[str, Mapping[str, int]]


def _key(mode: str, name: str) -> str:
    return _STRESS_KEYS.get(name, name) if mode == "stress" else name


@dataclass(frozen=True, slots=True)
class ModeResult:
    """What one mode of a cell has come to.

    ``first_failure`` is in seconds for stress, and counts executions for explore.
    ``complete``, ``preemption_bound`` and ``done`` are verify's, as in ``Result``;
    ``strategy`` and ``strategies`` (what each had a share in) are explore's.
    ``returned`` counts what each operation returned, by name, ``idle`` are the threads
    that did nothing to what is shared in any execution under control.
    """

    mode: str
    executions: int = 0
    failures: int = 0
    first_failure: float | None = None
    seconds: float = 0.0
    complete: bool = False
    preemption_bound: int | None = None
    done: float | None = None
    strategy: str = ""
    strategies: Mapping[str, Any] | None = None
    returned: Counts = field(default_factory=dict)
    idle: tuple[str, ...] = ()

    @staticmethod
    def of(mode: str, result: Result, strategy: str = "") -> ModeResult:
        """What the engine's ``result`` says of ``mode``."""
        told: dict[str, Any] = {
            "executions": result.executions,
            "failures": result.failures,
            "first_failure": result.first_failure_s if mode == "stress" else result.first_failure,
            "seconds": round(result.seconds, 3),
            "complete": result.complete,
            "preemption_bound": result.stats.get("preemption_bound"),
            "done": result.stats.get("done"),
            "strategy": strategy,
            "strategies": result.stats.get("strategies"),
            "returned": result.stats.get("returned", {}),
            "idle": tuple(result.stats.get("idle", ())),
        }
        return ModeResult(mode, **{name: told[name] for name in (*_MODE_FIELDS[mode], *_MODE_MORE)})

    @property
    def miss_bound(self) -> float | None:
        return miss_bound(self.executions, self.failures)

    @property
    def telling(self) -> bool:
        """Whether it came to enough to say anything."""
        fewest = FEWEST_COLLISIONS if self.mode == "stress" and not self.failures else 1
        return self.executions >= fewest

    def plus(self, more: ModeResult) -> ModeResult:
        """Both as one.  Counts add up; of two proofs the one that covers more stands.

        What single strategies had a share in does not add up, and is left out.
        """
        if self.mode == "verify":
            return max(self, more, key=lambda proof: (proof.complete, proof.done or 0, proof.executions))
        first = self.first_failure
        if first is None and more.first_failure is not None:
            first = (self.seconds if self.mode == "stress" else self.executions) + more.first_failure
        return replace(
            self,
            executions=self.executions + more.executions,
            failures=self.failures + more.failures,
            first_failure=first,
            seconds=round(self.seconds + more.seconds, 3),
            strategies=None,
            returned=_summed(self.returned, more.returned),
            idle=tuple(thread for thread in self.idle if thread in more.idle),
        )

    def to_json(self) -> dict[str, Any]:
        told = _plain(self, _MODE_FIELDS[self.mode], _MODE_MORE)
        told = {_key(self.mode, name): value for name, value in told.items()}
        return {**told, "miss_bound": self.miss_bound} if self.mode == "stress" else told

    @staticmethod
    def from_json(mode: str, value: Any, place: str) -> ModeResult:
        """ResultError if ``value`` is not what ``mode`` stores, or a count is below nothing."""
        stored = Fields(value, place)
        keys = {_key(mode, name): name for name in (*_MODE_FIELDS[mode], *_MODE_MORE)}
        read = stored.all({key: _MODE_KINDS[name] for key, name in keys.items()})
        told = {name: read[key] for key, name in keys.items()}
        for name in _COUNTED & told.keys():
            if (told[name] or 0) < 0:
                raise ResultError(f"{place}.{_key(mode, name)}: below nothing. Give what RaceBench stored.")
        if not all(
            fits(codes, dict) and fits([*codes.values()], [int]) for codes in told["returned"].values()
        ):
            raise ResultError(f"{place}.returned: not numbers. Give what RaceBench stored.")
        return ModeResult(mode, **told)


def _summed(one: Counts, other: Counts) -> dict[str, dict[str, int]]:
    """How often each operation returned what, in both."""
    total = {operation: dict(codes) for operation, codes in one.items()}
    for operation, codes in other.items():
        of = total.setdefault(operation, {})
        for code, n in codes.items():
            of[code] = of.get(code, 0) + n
    return total


# -- findings


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """A finding of a cell, as ``findings/NNNN.json`` has it.

    ``seen`` counts it by mode.  ``source`` is the text of the TOML scenario that its
    schedule belongs to, so that the file can be replayed elsewhere; ``replay_args``
    names the code, if any, that replay must be given on the command line; ``rerun``
    runs the test again that it is of.  ``ablation`` is the change to the protocol
    under which it was made.
    """

    finding: Finding
    scenario: str
    protocol: str
    threads: tuple[str, ...] = ()
    seen: Mapping[str, int] = field(default_factory=dict)
    scenario_file: str = ""
    source: str = ""
    replay_args: tuple[str, ...] = ()
    rerun: str = ""
    ablation: Any = None

    @property
    def cell(self) -> tuple[str, str]:
        return self.scenario, self.protocol

    @property
    def key(self) -> tuple[str, str, str]:
        return self.scenario, self.protocol, self.finding.signature

    @property
    def count(self) -> int:
        return max(1, sum(self.seen.values()))

    def better(self, other: FindingRecord) -> bool:
        """Whether this one shows the same with the better schedule."""
        return better(self.finding.schedule, other.finding.schedule)

    def showing(self, other: FindingRecord) -> FindingRecord:
        """What ``other`` shows, as found and counted here."""
        mine = self.finding
        shown = replace(
            other.finding, mode=mine.mode, strategy=mine.strategy, seed=mine.seed, after=mine.after
        )
        return replace(other, finding=shown, seen=self.seen)

    def counted(self, seen: Mapping[str, int]) -> FindingRecord:
        """The same, seen as often more."""
        modes = dict.fromkeys((*self.seen, *seen))
        return replace(self, seen={mode: self.seen.get(mode, 0) + seen.get(mode, 0) for mode in modes})

    def to_json(self) -> dict[str, Any]:
        finding = self.finding
        return {
            "schema": SCHEMA,
            **_plain(finding, _FINDING),
            "found_by": _plain(finding, _FOUND_BY),
            "schedule": [list(step) for step in finding.schedule],
            "evidence": _storable(finding.evidence),
            **_plain(self, _RECORD, _RECORD_MORE),
            "count": self.count,
        }

    @staticmethod
    def from_json(value: Any, place: str) -> FindingRecord:
        """ResultError names what is wrong with ``value``, which ``place`` holds."""
        stored = Fields(value, place)
        by = Fields(stored.get("found_by", dict, _NOTHING), f"{place}: found_by").all(_FOUND_BY)
        evidence, count = stored.get("evidence", dict), stored.get("count", int, 1)
        if not fits(evidence, _EVIDENCE, partly=True):
            raise ResultError(f"{place}: evidence: not as RaceBench writes it. Give a stored finding.")
        schedule = schedule_from_json(value.get("schedule"), place)
        more = stored.all({**_RECORD, **_RECORD_MORE})
        if not all(fits(n, int) for n in more["seen"].values()):
            raise ResultError(f"{place}: seen: not numbers. Give a stored finding.")
        more["seen"] = more["seen"] or {by["mode"]: count}
        told = stored.all(_FINDING)
        return FindingRecord(Finding(**told, **by, schedule=schedule, evidence=evidence, count=count), **more)


def better(new: Schedule, old: Schedule) -> bool:
    """Whether ``new`` shows a finding better: by fewer switches, then by fewer steps; any beats none."""
    if not new or not old:
        return bool(new) and not old
    return (switches(new), len(new)) < (switches(old), len(old))


def _storable(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """``evidence`` that may be stored: what reading would refuse is said to be left out."""
    wrong = {key: beyond(value, numbers=False) for key, value in evidence.items()}
    return {k: f"left out: {wrong[k]}" if wrong[k] else value for k, value in evidence.items()}


# -- cells


@dataclass(frozen=True, slots=True)
class Cell:
    """A scenario under a protocol, as run.json has it: what was expected, found and run, and the verdict.

    ``proof`` says that only all schedules are an answer.  ``findings`` are paths
    in the run's folder.  ``unseen`` has, in sentences, what keeps the answer from
    being whole; ``error`` what is wrong with the program, or with RaceBench if the
    cell ``failed``.  ``lost``: the process that ran it is gone.  ``partial``: it
    was cut off, and ``--resume`` goes on with it.  ``contradicted``: one mode found
    what another one excludes.  ``calls`` names the functions that its operations call,
    ``unused`` says in sentences what of the protocol made no difference, and ``instead``
    is a command that runs what this cell does not.
    """

    scenario: str
    protocol: str
    expected: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    verdict: str = CellVerdict.UNKNOWN.value
    stress: ModeResult | None = None
    verify: ModeResult | None = None
    explore: ModeResult | None = None
    settles: tuple[str, ...] = ()
    hammered: bool = False
    proof: bool = False
    findings: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    error: str = ""
    failed: bool = False
    lost: bool = False
    partial: bool = False
    contradicted: bool = False
    calls: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    instead: str = ""

    @property
    def name(self) -> tuple[str, str]:
        return self.scenario, self.protocol

    @property
    def modes(self) -> dict[str, ModeResult]:
        """The modes that were run."""
        every = ((mode, getattr(self, mode)) for mode in MODES)
        return {mode: result for mode, result in every if result is not None}

    @property
    def seconds(self) -> float:
        return sum(mode.seconds for mode in self.modes.values())

    @property
    def proved(self) -> bool:
        """Whether every schedule was run, and nothing went unseen in them."""
        return self.verify is not None and self.verify.complete and not self.unseen and not self.lost

    @property
    def unexpected(self) -> list[str]:
        """The rules found that are neither expected nor allowed."""
        return [rule for rule in self.found if rule not in self.expected and rule not in self.allowed]

    @property
    def returned(self) -> Counts:
        """How often each operation returned what, in all modes."""
        return reduce(_summed, (mode.returned for mode in self.modes.values()), {})

    @property
    def vacuous(self) -> list[str]:
        """Why a cell that is clean says less than it seems to, in sentences; nothing if it is not clean."""
        if self.found or not self.answered:
            return []
        controlled = [set(mode.idle) for name, mode in self.modes.items() if name != "stress"]
        idle = sorted(set.intersection(*controlled)) if controlled else []
        said = []
        for operation in self.failing:
            codes = self.returned[operation]
            said.append(f"{self.called(operation)} returned {' or '.join(sorted(codes))} in {_all_of(codes)}")
        said += [f"{thread} took no step on shared state" for thread in idle]
        return list(dict.fromkeys((*said, *self.unused)))

    @property
    def failing(self) -> list[str]:
        """The operations that never succeeded, as ``returned`` has them."""
        return [op for op, codes in self.returned.items() if all(code[:1] == "-" for code in codes)]

    def called(self, operation: str) -> str:
        """The function that ``operation`` calls, as ``returned`` has it; itself if that is not known."""
        return self.calls.get(operation.partition(": ")[2].partition(" ")[0], operation)

    def plus(self, more: Cell) -> Cell:
        """What two visits of one cell have come to; the verdict, and what was found, are still this one's.

        Whether only a proof is an answer is said by the visit that has one.
        """
        modes = {mode: mine.plus(more.modes[mode]) for mode, mine in self.modes.items() if mode in more.modes}
        both: dict[str, Any] = {**more.modes, **self.modes, **modes}
        return replace(
            self,
            **both,
            proof=self.proof if more.verify is None else more.proof,
            unseen=tuple(dict.fromkeys((*self.unseen, *more.unseen))),
            error=self.error or more.error,
            failed=self.failed or more.failed,
            contradicted=self.contradicted or more.contradicted,
            calls=self.calls or more.calls,
            unused=self.unused or more.unused,
            instead=self.instead or more.instead,
        )

    @property
    def answered(self) -> bool:
        """Whether it was run as far as it was to be, and all of that was seen."""
        ran = any(mode.telling for mode in self.modes.values())
        open_ = self.proof or self.partial or self.error or self.unseen or self.lost
        return ran and (self.proved or not open_) and not self.contradicted

    def judged(self) -> Cell:
        """This cell with its verdict: what was found against what was expected.

        Only a proof makes an expected rule ``missed``; where a proof is asked for,
        nothing less makes a cell as expected; and of nothing, or of next to nothing,
        there is no answer.
        """
        if self.contradicted:
            verdict = CellVerdict.UNKNOWN
        elif self.unexpected:
            verdict = CellVerdict.UNEXPECTED
        elif not self.answered:
            verdict = CellVerdict.UNKNOWN
        elif set(self.expected) - set(self.found):
            verdict = CellVerdict.MISSED if self.proved else CellVerdict.UNKNOWN
        else:
            verdict = CellVerdict.AS_EXPECTED
        return replace(self, verdict=verdict.value)

    def to_json(self) -> dict[str, Any]:
        modes = {mode: None for mode in MODES} | {m: result.to_json() for m, result in self.modes.items()}
        derived = {"returned": self.returned, "vacuous": self.vacuous}
        said = {key: value for key, value in derived.items() if value}
        return {**_plain(self, _CELL), **modes, **_plain(self, (), _CELL_MORE), **said}

    @staticmethod
    def from_json(value: Any, place: str) -> Cell:
        """ResultError names what is wrong with ``value``, which ``place`` holds."""
        stored = Fields(value, place)
        modes = {mode: stored.get(mode, dict, None) for mode in MODES}
        told: dict[str, Any] = {
            mode: ModeResult.from_json(mode, value, f"{place}.{mode}")
            for mode, value in modes.items()
            if value is not None
        }
        return Cell(**stored.all({**_CELL, **_CELL_MORE}), **told)


def _all_of(codes: Mapping[str, int]) -> str:
    n = sum(codes.values())
    return "the only execution" if n == 1 else f"all {counted(n, 'execution')}"


# -- runs


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run, as run.json has it.

    ``options`` is what it was to do.  ``torn`` counts lines of its journal that a
    kill has cut, ``fuzz`` has what ``racebench fuzz`` met, ``against`` what is new
    with each protocol that was held against another.
    """

    cells: tuple[Cell, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    racebench: str = VERSION
    wall_s: float | None = None
    interrupted: bool = False
    torn: int = 0
    fuzz: Mapping[str, Any] | None = None
    against: Sequence[Any] = ()

    def to_json(self) -> dict[str, Any]:
        cells = [cell.to_json() for cell in self.cells]
        return {"schema": SCHEMA, **_plain(self, _RUN), "cells": cells, **_plain(self, (), _RUN_MORE)}

    @staticmethod
    def from_json(value: Any, place: str) -> Run:
        """ResultError names what is wrong with ``value``, which ``place`` holds."""
        stored = Fields(value, place)
        cells = enumerate(stored.get("cells", list))
        told = tuple(Cell.from_json(cell, f"{place}: cells[{i}]") for i, cell in cells)
        return Run(told, **stored.all({**_RUN, **_RUN_MORE}))


# -- writing and reading


def check_schema(value: Mapping[str, Any], place: str) -> None:
    """ResultError unless ``value`` says a schema that this RaceBench reads."""
    schema = value.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise ResultError(f"{place}: schema: missing or not a number. Give a file that RaceBench stored.")
    if schema > SCHEMA:
        what = f"{place}: schema {schema} is newer than this RaceBench reads ({SCHEMA})"
        raise ResultError(f"{what}. Upgrade RaceBench.")


def _plain(record: Any, keys: Iterable[str], more: Iterable[str] = ()) -> dict[str, Any]:
    """These fields as JSON has them; of ``more`` only those that say anything."""
    values = {key: getattr(record, key) for key in (*keys, *more)}
    told = {key: value for key, value in values.items() if value or key in keys}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in told.items()}


# The keys of each record in JSON: what kind of value each has, and the default of those that may be missing.
# Where there is a table with ``MORE``, its keys are left out if they have nothing to say.
_MODE_KINDS: Mapping[str, tuple[Any, ...]] = {
    **dict.fromkeys(("executions", "failures"), (int,)),
    **dict.fromkeys(("first_failure", "done"), (float, None)),
    "seconds": (float, 0.0),
    "complete": (bool,),
    "preemption_bound": (int, None),
    "strategy": (str, ""),
    "strategies": (dict, None),
    "returned": (dict, _NOTHING),
    "idle": ([str], ()),
}
_COUNTED = {"executions", "failures", "first_failure", "seconds"}
_FINDING = dict.fromkeys(("rule", "signature", "summary"), (str,))
_FOUND_BY: Mapping[str, tuple[Any, ...]] = {
    "mode": (str, ""), "strategy": (str, ""), "seed": (int, 0), "after": (int, 0),
}  # fmt: skip
_RECORD: Mapping[str, tuple[Any, ...]] = {
    "scenario": (str,), "protocol": (str,), "threads": ([str], ()), "seen": (dict, _NOTHING),
    "scenario_file": (str, ""), "source": (str, ""), "replay_args": ([str], ()),
}  # fmt: skip
_RECORD_MORE: Mapping[str, tuple[Any, ...]] = {"rerun": (str, ""), "ablation": (object, None)}
_CELL: Mapping[str, tuple[Any, ...]] = {
    "scenario": (str,), "protocol": (str,), "expected": ([str],), "allowed": ([str],), "found": ([str],),
    "verdict": (str,), "settles": ([str], ()), "hammered": (bool, False), "findings": ([str],),
}  # fmt: skip
_CELL_MORE: Mapping[str, tuple[Any, ...]] = {
    "unseen": ([str], ()),
    "error": (str, ""),
    "calls": (dict, _NOTHING),
    "unused": ([str], ()),
    "instead": (str, ""),
    **dict.fromkeys(("proof", "failed", "lost", "partial", "contradicted"), (bool, False)),
}
_RUN: Mapping[str, tuple[Any, ...]] = {
    "racebench": (str, ""), "host": (dict, _NOTHING), "options": (dict, _NOTHING),
    "wall_s": (float, None), "interrupted": (bool, False),
}  # fmt: skip
_RUN_MORE: Mapping[str, tuple[Any, ...]] = {"torn": (int, 0), "fuzz": (dict, None), "against": (list, ())}
_LOCKS = [{"thread": str, "holds": [{"lock": str, "site": str}], "wants": {"lock": str, "site": str}}]
_EVIDENCE: Mapping[str, Any] = {
    "ring": _LOCKS,
    "waiting": _LOCKS,
    "steps": [
        {"thread": str, "op": str, "object": str, "old": str, "new": str, "held": [str], "stack": [str]}
    ],
    "results": dict,
    "stacks": dict,
    "message": str,
    "site": str,
    "reproduced": bool,
}
