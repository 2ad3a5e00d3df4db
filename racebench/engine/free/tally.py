"""Makes findings from a batch of free-running collisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

from ...errors import ProgramError
from ...findings import Alarm, Broken
from ...program import Program
from ...trace import LockEdge
from ..instrument import show
from ..stuck import Fault, error_fault
from ..tally import Log, Tally

Rings = Callable[[Sequence[LockEdge]], list[Alarm]]
"""Finds the inversions among lock orders; the engine knows no detector."""


def no_rings(edges: Sequence[LockEdge]) -> list[Alarm]:
    """Report no lock order as an inversion."""
    return []


_ENDS_THE_STORY = ("deadlock.", "stall.")


class Batch(Protocol):
    """A batch of collisions at rest, each with a slot; ``stopping``: it was cut off.

    ``everyone``: the ``workers``, and those of threads that the program started.
    """

    workers: list[Any]
    everyone: list[Any]
    states: list[Any]
    stopping: bool


@dataclass
class _Collision:
    """One collision: what went wrong in it; it has no steps."""

    faults: list[Fault]
    broken: tuple[Broken, ...] = ()
    log: Log = field(default=())


class FreeTally(Tally):
    """Counts what collisions broke, by signature; used by the coordinator, at rest."""

    def __init__(self, program: Program, run: Batch, rings: Rings = no_rings) -> None:
        super().__init__()
        self.program, self.run, self.rings = program, run, rings
        self.collisions = 0
        self.first_s: float | None = None
        self._chains = 0
        # A program with a story differs each time: its parts do not say what its threads did.
        self._codes = bool(program.parts) and program.story is None

    def take(self, size: int, started: float) -> Counter[str]:
        """Add the batch that has just run; return how often each signature came in it."""
        faults: dict[int, list[Fault]] = {}
        for worker in self.run.everyone:
            for slot, fault in worker.faults:
                faults.setdefault(slot, []).append(fault)
        done = min((w.slot for w in self.run.workers if not w.lost), default=0)
        before = self._counts()
        for slot in range(size):
            if slot in faults:
                self._failed(_Collision(list(_until_doom(faults[slot]))), slot, started)
            elif slot < done:
                self._check(slot, started)
        if self._codes:
            for worker in self.run.workers:
                self.returns(worker.name, worker.results)
        self.collisions += min(size, done) if self.run.stopping else size
        came = self._counts() - before
        self._orders()
        return came

    def _counts(self) -> Counter[str]:
        return Counter({signature: seen.count for signature, seen in self.seen.items()})

    def _check(self, slot: int, started: float) -> None:
        results = {w.name: w.results[slot] for w in self.run.workers}
        try:
            broken = self.program.broken_rules(self.run.states[slot], results)
        except (ProgramError, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._failed(_Collision([error_fault("check", error, 0)]), slot, started)
            return
        if broken:
            self._failed(_Collision([], broken), slot, started)

    def _failed(self, collision: _Collision, slot: int, started: float) -> None:
        """Count collision ``slot`` of this batch, which broke a rule, after all the collisions before it."""
        if self.first is None:
            self.first_s = perf_counter() - started
        number = self.collisions + slot + 1
        if self.add(collision, number, "free"):
            for seen in self.seen.values():
                if seen.after == number:
                    self._illustrate(seen.evidence, slot)

    def _illustrate(self, evidence: dict[str, Any], slot: int) -> None:
        """Add to ``evidence`` what is known of the collision in ``slot``."""
        state = self.run.states[slot]
        evidence["results"] = {w.name: show(w.results[slot]) for w in self.run.workers}
        if self.program.snapshot is not None:
            evidence["before"] = self.program.pictured(self.program.fresh())
            evidence["after"] = self.program.pictured(state)
        if self.program.story is not None:
            evidence["story"] = self.program.retold(state)

    def _orders(self) -> None:
        """Look at the orders in which locks were nested, if there are new ones.

        Workers are at rest, so only this thread uses their ``chains``; a lost worker's may grow while it is
        copied, which dict.copy survives.
        """
        chains = sum(len(worker.chains) for worker in self.run.everyone)
        if chains == self._chains:
            return
        self._chains = chains
        edges = [
            edge for worker in self.run.everyone for chain in worker.chains.copy().values() for edge in chain
        ]
        for alarm in self.rings(edges):
            # A known lock order is not counted again.
            if alarm.guarded or alarm.signature not in self.seen:
                self.alarm(alarm, (), self.collisions, "free")


def _until_doom(faults: list[Fault]) -> Iterator[Fault]:
    """Yield the faults of one collision, up to the first one after which the rest means nothing."""
    for fault in sorted(faults, key=lambda e: e.at):
        yield fault
        if fault.crash or fault.rule.startswith(_ENDS_THE_STORY):
            return
