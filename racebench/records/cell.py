"""The stored form of a cell: what was expected, found and run, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from ..bounds import Fields
from ..findings import CellVerdict, counted
from .encoding import NOTHING, encoded
from .modes import MODES, Counts, ModeResult, summed

# The keys in JSON: the kind of each value, and the default if the key may be missing.
# A key of a table with ``MORE`` is left out if its value is empty.
_CELL: Mapping[str, tuple[Any, ...]] = {
    "scenario": (str,), "protocol": (str,), "expected": ([str],), "allowed": ([str],), "found": ([str],),
    "verdict": (str,), "settles": ([str], ()), "hammered": (bool, False), "findings": ([str],),
}  # fmt: skip
_CELL_MORE: Mapping[str, tuple[Any, ...]] = {
    "unseen": ([str], ()),
    "error": (str, ""),
    "calls": (dict, NOTHING),
    "unused": ([str], ()),
    "instead": (str, ""),
    "title": (str, ""),
    "tags": ([str], ()),
    "phrase": (str, ""),
    **dict.fromkeys(("proof", "failed", "lost", "partial", "contradicted"), (bool, False)),
}
CELL_KINDS = {**_CELL, **_CELL_MORE}

_EITHER = ("error", "failed", "contradicted", "calls", "unused", "instead")
"""The fields of which a merged cell has those of the first cell, or else of the second."""

DID_NOTHING = "-ENOENT"
"""The code of an operation that returns none itself, if it had nothing to do."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A scenario under a protocol, as in run.json: what was expected, found and run, and the verdict.

    ``proof`` says that only a search of all schedules is an answer.  ``findings`` are paths
    in the run's folder.  ``unseen`` says, in sentences, why the answer does not cover
    the whole program; ``error`` what is wrong with the program, or with RaceBench if the
    cell ``failed``.  ``lost``: the process that ran it is gone.  ``partial``: it
    was cut off, and ``--resume`` continues it.  ``contradicted``: one mode found
    what another one excludes.  ``calls`` maps operations to the functions that they call,
    ``unused`` says in sentences which parts of the protocol made no difference, and ``instead``
    is a command in which the operations that always failed here succeed.  ``title`` and
    ``tags`` are the scenario's, and ``phrase`` begins a sentence about the protocol.
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
    title: str = ""
    tags: tuple[str, ...] = ()
    phrase: str = ""

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
        """Whether every schedule was run, and nothing in them went unseen."""
        return self.verify is not None and self.verify.complete and not self.unseen and not self.lost

    @property
    def unexpected(self) -> list[str]:
        """The rules found that are neither expected nor allowed."""
        return [rule for rule in self.found if rule not in self.expected and rule not in self.allowed]

    @property
    def returned(self) -> Counts:
        """How often each operation returned each code, in all modes."""
        return reduce(summed, (mode.returned for mode in self.modes.values()), {})

    @property
    def vacuous(self) -> list[str]:
        """Why a clean cell proves less than it seems to, in sentences; empty if it is not clean."""
        if self.found or not self.answered:
            return []
        controlled = [set(mode.idle) for name, mode in self.modes.items() if name != "stress"]
        idle = sorted(set.intersection(*controlled)) if controlled else []
        said = []
        for operation in self.failing:
            codes = self.returned[operation]
            said.append(f"{self.called(operation)} {did(codes)} in {_all_of(codes)}")
        said += [f"{thread} took no step on shared state" for thread in idle]
        return list(dict.fromkeys((*said, *self.unused)))

    @property
    def failing(self) -> list[str]:
        """The operations that never succeeded, named as in ``returned``."""
        return [op for op, codes in self.returned.items() if all(code[:1] == "-" for code in codes)]

    def called(self, operation: str) -> str:
        """The function that ``operation`` (named as in ``returned``) calls; ``operation`` if unknown."""
        return self.calls.get(operation.partition(": ")[2].partition(" ")[0], operation)

    def plus(self, more: Cell) -> Cell:
        """Merge the results of two visits of one cell; ``verdict`` and ``found`` stay those of this one.

        If ``more`` has a proof, its ``proof`` says whether only a proof is an answer.
        """
        modes = {mode: mine.plus(more.modes[mode]) for mode, mine in self.modes.items() if mode in more.modes}
        both: dict[str, Any] = {**more.modes, **self.modes, **modes}
        both |= {name: getattr(self, name) or getattr(more, name) for name in _EITHER}
        return replace(
            self,
            **both,
            proof=self.proof if more.verify is None else more.proof,
            unseen=tuple(dict.fromkeys((*self.unseen, *more.unseen))),
        )

    @property
    def answered(self) -> bool:
        """Whether it was run completely, and all of it could be seen."""
        ran = any(mode.telling for mode in self.modes.values())
        open_ = self.proof or self.partial or self.error or self.unseen or self.lost
        return ran and (self.proved or not open_) and not self.contradicted

    def judged(self) -> Cell:
        """This cell with its verdict: what was found, compared with what was expected.

        Only a proof makes an expected rule ``missed``.  Where a proof is asked for, the cell
        cannot be as expected without one.  A cell that ran nothing, or too little to
        count, has no answer.
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
        # Stored in words too; the returned codes are stored with the modes.
        said = {"vacuous": self.vacuous} if self.vacuous else {}
        return {**encoded(self, _CELL), **modes, **encoded(self, (), _CELL_MORE), **said}

    @staticmethod
    def from_json(value: Any, place: str) -> Cell:
        """Read ``value``; ResultError names ``place`` and says what is wrong."""
        stored = Fields(value, place)
        modes = {mode: stored.get(mode, dict, None) for mode in MODES}
        fields: dict[str, Any] = {
            mode: ModeResult.from_json(mode, value, f"{place}.{mode}")
            for mode, value in modes.items()
            if value is not None
        }
        return Cell(**stored.all(CELL_KINDS), **fields)


def did(codes: Iterable[str]) -> str:
    """What an operation did that returned only ``codes``: "returned -EBUSY", or "did nothing"."""
    every = sorted(codes)
    return "did nothing" if every == [DID_NOTHING] else f"returned {' or '.join(every)}"


def _all_of(codes: Mapping[str, int]) -> str:
    n = sum(codes.values())
    return "the only execution" if n == 1 else f"all {counted(n, 'execution')}"
