"""From a batch of free-running collisions to findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import ProgramError
from ...findings import Alarm, Finding
from ...program import Program
from ...trace import LockEdge
from ..instrument import show
from ..search.tally import Seen, finding_of, signature_of
from ..stuck import Event, error_event

if TYPE_CHECKING:
    from .run import FreeRun

Rings = Callable[[Sequence[LockEdge]], list[Alarm]]
"""What tells inversions from orders; the engine knows no detector."""


def no_rings(edges: Sequence[LockEdge]) -> list[Alarm]:
    """No order is an inversion."""
    return []


_ENDS_THE_STORY = ("deadlock.", "stall.")


class FreeTally:
    """Counts what collisions broke, by signature.  Used by the coordinator, at rest."""

    def __init__(self, program: Program, run: FreeRun, rings: Rings = no_rings) -> None:
        self.program, self.run, self.rings = program, run, rings
        self.guarded: dict[str, str] = {}
        self.first_alarm: int | None = None
        self._chains = 0
        self.collisions = self.failures = 0
        self.first: int | None = None
        self.first_s: float | None = None
        self._seen: dict[str, Seen] = {}
        self._before: Any = None

    def take(self, size: int, started: float) -> int:
        """Take in the batch that has just run; returns how many collisions failed."""
        events: dict[int, list[Event]] = {}
        for worker in self.run.workers:
            for slot, event in worker.events:
                events.setdefault(slot, []).append(event)
        done = min((w.slot for w in self.run.workers if not w.lost), default=0)
        failed = 0
        for slot in range(size):
            if slot in events:
                failed += 1
                self._first(slot, started)
                for event in _until_doom(events[slot]):
                    self._event(event, slot)
            elif slot < done and self._check(slot, started):
                failed += 1
        self.collisions += min(size, done) if self.run.stopping else size
        self.failures += failed
        self._orders()
        return failed

    @property
    def first_finding(self) -> int | None:
        """Collisions until the first failure, or if nothing failed until the first alarm."""
        return self.first_alarm if self.first is None else self.first

    def _orders(self) -> None:
        """Look at the orders in which locks were nested, if there are new ones.

        Workers are at rest, so their ``chains`` are ours; a lost worker's may
        grow while we copy it, which dict.copy survives.
        """
        chains = sum(len(worker.chains) for worker in self.run.workers)
        if chains == self._chains:
            return
        self._chains = chains
        edges = [
            edge for worker in self.run.workers for chain in worker.chains.copy().values() for edge in chain
        ]
        for alarm in self.rings(edges):
            if alarm.guarded:
                self.guarded.setdefault(alarm.signature, alarm.message)
            elif alarm.signature not in self._seen:
                if self.first_alarm is None:
                    self.first_alarm = self.collisions
                evidence = {"message": alarm.message, **alarm.evidence}
                self._seen[alarm.signature] = Seen(
                    alarm.rule, alarm.signature, alarm.message, evidence, (), self.collisions, "free",
                    alarm=True,
                )  # fmt: skip

    def _check(self, slot: int, started: float) -> bool:
        results = {w.name: w.results[slot] for w in self.run.workers}
        state = self.run.states[slot]
        try:
            broken = self.program.broken_rules(state, results)
        except (ProgramError, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._first(slot, started)
            self._event(error_event("check", error, 0), slot)
            return True
        if not broken:
            return False
        self._first(slot, started)
        for rule in broken:
            self._count(rule.rule, signature_of(rule), rule.message, {"message": rule.message}, slot)
        return True

    def _first(self, slot: int, started: float) -> None:
        if self.first is None:
            self.first = self.collisions + slot + 1
            self.first_s = time.perf_counter() - started

    def _event(self, event: Event, slot: int) -> None:
        evidence = {"message": event.message, **event.evidence}
        self._count(event.rule, event.signature, event.message, evidence, slot)

    def _count(self, rule: str, signature: str, summary: str, evidence: dict[str, Any], slot: int) -> None:
        known = self._seen.get(signature)
        if known is not None:
            known.count += 1
            return
        evidence["results"] = {w.name: show(w.results[slot]) for w in self.run.workers}
        if self.program.snapshot is not None:
            evidence["before"] = self.program.pictured(self.program.fresh())
            evidence["after"] = self.program.pictured(self.run.states[slot])
        if self.program.story is not None:
            evidence["story"] = self.program.retold(self.run.states[slot])
        self._seen[signature] = Seen(
            rule, signature, summary, evidence, (), self.collisions + slot + 1, "free"
        )

    def findings(self, seed: int) -> tuple[Finding, ...]:
        return tuple(
            finding_of(seen, "stress", seed)
            for seen in sorted(self._seen.values(), key=lambda seen: seen.alarm)
        )


def _until_doom(events: list[Event]) -> list[Event]:
    """What happened in one collision, up to the first thing that spoils the rest."""
    told = []
    for event in sorted(events, key=lambda e: e.at):
        told.append(event)
        if event.crash or event.rule.startswith(_ENDS_THE_STORY):
            break
    return told
