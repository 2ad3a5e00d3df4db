"""Threads that draw operations from a weighted mix, on domains that live on.

A collision is one *round*: every thread draws its operations, and when all are
done (the rendezvous) the machine is audited and every return code is compared
with the serial orders of the round's operations.  The next round starts
where this one ended.  A free run keeps a few dozen such domains going side by
side, each with its own random numbers; one that broke a rule is replaced.

What orders the accesses: a thread's ``threads`` entry, its random numbers included,
belongs to the thread during a round and to the coordinator at the rendezvous.
"""

from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..findings import Broken
from ..findings.rules import is_benign
from ..program import Program
from .audits import audit
from .domain import Protocol
from .history import said, unexplained
from .language import Initial, Operation, domain_table
from .program import MachineBuilder
from .serial import Serial
from .snapshot import Glimpse, glimpse, snapshot
from .system import System, alone

PENDING: Any = "did not return"

_VIRQ, _DESC = 8, 6


class Mix(NamedTuple):
    """Each thread's operations with weights; a thread draws ``operations`` of them in a round."""

    operations: int
    threads: Mapping[str, tuple[tuple[Operation, int], ...]]

    def named(self) -> dict[str, tuple[Operation, ...]]:
        """Every operation that a thread may draw."""
        return {name: tuple(op for op, _ in mix) for name, mix in self.threads.items()}


class _Thread:
    """One thread's part of one machine: its random numbers, and this round's operations and results."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.log: list[list[Any]] = []


class HammeredSystem(System):
    """A machine between rounds: the serial states that it can be in, and how the round began."""

    def start(self, threads: Mapping[str, _Thread], serial: Serial) -> None:
        self.threads, self.serial = threads, serial
        self.tick = itertools.count().__next__
        self.possible = {0}
        self.spoilt = False
        self.began = glimpse(self.machine)

    def recycle(self) -> bool:
        """Keep the machine as it is for the next round, unless it is spoilt."""
        return not self.spoilt


def build_hammer(name: str, initial: Initial, mix: Mix, protocol: type[Protocol]) -> Program:
    """A Program for ``stress``; under control each execution would draw other operations.

    A thread's result is its drawn operations and their results, in words.
    """
    return _Hammer(name, initial, mix, protocol).program()


class _Hammer:
    def __init__(self, name: str, initial: Initial, mix: Mix, protocol: type[Protocol]) -> None:
        self.name, self.initial, self.mix = name, initial, mix
        self._builder = MachineBuilder(initial, mix.named(), protocol, HammeredSystem)
        drawn = {op for ops in mix.named().values() for op in ops}
        self._operations = sorted(drawn, key=str)
        self._codes = [alone(op) for op in self._operations]
        self._serial = self._new_serial()
        self._made = itertools.count().__next__

    def _new_serial(self) -> Serial:
        return Serial(self._builder.build, self._codes)

    def program(self) -> Program:
        return Program(
            self.name,
            self._setup,
            {name: self._thread(name, drawn) for name, drawn in self.mix.threads.items()},
            self._check,
            snapshot=lambda system: snapshot(system.machine),
            recycle=HammeredSystem.recycle,
            story=self._story,
        )

    def _setup(self) -> HammeredSystem:
        system = self._builder.build()
        assert isinstance(system, HammeredSystem)
        if self._serial.full:
            self._serial = self._new_serial()
        number = self._made()
        threads = {n: _Thread(random.Random(f"{self.name} {number} {n}")) for n in self.mix.threads}
        system.start(threads, self._serial)
        return system

    def _thread(
        self, name: str, drawn: Sequence[tuple[Operation, int]]
    ) -> Callable[[HammeredSystem], list[str]]:
        numbers = [self._operations.index(op) for op, _ in drawn]
        weights = list(itertools.accumulate(weight for _, weight in drawn))
        codes, operations, total = self._codes, self._operations, weights[-1]
        count = range(self.mix.operations)

        def run(system: HammeredSystem) -> list[str]:
            mine, tick = system.threads[name], system.tick
            log, rng = mine.log, mine.rng
            log.clear()
            for _ in count:
                number = numbers[bisect_right(weights, rng.random() * total)]
                entry = [number, PENDING, 0]
                log.append(entry)
                entry[1] = codes[number](system)
                entry[2] = tick()
            return [said(operations[number], result) for number, result, _ in log]

        return run

    # -- at the rendezvous

    def _check(self, system: HammeredSystem, results: Mapping[str, Any]) -> list[Broken]:
        rules = list(audit(system.machine))
        now = glimpse(system.machine)
        rules += self._history(system, now)
        if any(not is_benign(rule.rule) for rule in rules):
            system.spoilt = True
        else:
            # Benign rules change no state, so the domain can be used in the next round.
            for desc in system.machine.descs.values():
                desc.irqs_on = False
            system.began = now
        return rules

    def _history(self, system: HammeredSystem, now: Glimpse) -> list[Broken]:
        """Compare the round's return codes with every serial order, the order of completion first."""
        serial, threads = system.serial, system.threads.values()
        came = sorted((tick, number, result) for t in threads for number, result, tick in t.log)
        order = [(number, result) for _, number, result in came]
        before = system.possible
        ends = {serial.along(state, order) for state in before}
        system.possible = {end for end in ends if end is not None and serial.glimpse(end) == now}
        if not system.possible:
            every = serial.ends(before, [[(n, result) for n, result, _ in t.log] for t in threads])
            if every is not None and not every:
                return [unexplained({name: self._words(t) for name, t in system.threads.items()})]
            system.possible = {end for end in every or () if serial.glimpse(end) == now}
        # No serial order ends in this state: judging it is up to the audits.  A new domain takes over.
        system.spoilt = not system.possible or serial.full
        return []

    def _words(self, thread: _Thread) -> list[str]:
        return [said(self._operations[number], result) for number, result, _ in thread.log]

    def _story(self, system: HammeredSystem) -> dict[str, Any]:
        """The round: its initial state as in a scenario file, the drawn operations and their results."""
        initial = expressed(system.began, self.initial)
        return {
            "initial": None if initial is None else domain_table(initial),
            "threads": {
                name: [str(self._operations[number]) for number, _, _ in t.log]
                for name, t in system.threads.items()
            },
            "returned": {
                name: [None if result is PENDING else result for _, result, _ in t.log]
                for name, t in system.threads.items()
            },
        }


def expressed(began: Glimpse, initial: Initial) -> Initial | None:
    """The initial state of a scenario that begins as ``began``; None if a scenario file cannot express it."""
    plain = Initial(initial.vcpus, initial.spis, initial.state, down=initial.down)
    if initial._replace(routed=(), pending=(), enabled=()) != plain:
        return None
    routed, pending, enabled = [], [], []
    descs = {row[0]: row for row in began if len(row) == _DESC}
    for row in began:
        if len(row) != _VIRQ:
            continue
        dom, virq, pirq, on, ienable, where, vcpu, target = row
        if dom != 1 or on != ienable or target not in (0, None) or vcpu not in (0, None):
            return None
        if pirq is not None:
            routed.append((virq, pirq, on))
        elif on:
            enabled.append(virq)
        if where:
            pending.append((virq, where))
    lines = {pirq: (virq, on) for virq, pirq, on in routed}
    for pirq, guest, virq, inprogress, disabled, _ in descs.values():
        if guest != (pirq in lines) or (not guest and (virq is not None or inprogress)):
            return None
        if guest and (lines[pirq] != (virq, not disabled) or inprogress != (virq in dict(pending))):
            return None
    return initial._replace(routed=tuple(routed), pending=tuple(pending), enabled=tuple(enabled))
