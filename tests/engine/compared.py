"""``verify`` held against the enumerator: what each says of one ``Sketch``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import racebench as rb
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search.dpor import Search
from racebench.engine.search.preemption_bound import Ladder
from racebench.engine.tally import Tally

from .enumerator import End, Reached, TooLarge, enumerated
from .generated import as_python, shrunk
from .sketched import Probe, program_of
from .states import Sketch

_PREDICTIONS = ("data_race", "lock_order.", "irq.")
_MOST = 50_000


@dataclass(frozen=True)
class Mismatch:
    """In what the two differ, for threads in one order of names."""

    order: tuple[str, ...]
    missed: frozenset[Any]
    invented: frozenset[Any]
    error: str = ""

    def text(self) -> str:
        parts = "missed", sorted(map(str, self.missed)), "invented", sorted(map(str, self.invented))
        return self.error or "{} {}, {} {}".format(*parts)


def searched(
    program: rb.Program, probe: Probe, preemptions: int | None = None, most: int = _MOST, looks: bool = True
) -> tuple[set[End], set[str]]:
    """The ends and rules that our search meets; no work is done on what it finds.

    ``looks``: whether it is looked at for what no step announces, too.  TooLarge if it takes
    more than ``most`` executions.
    """
    ends: set[End] = set()
    tally = Tally()
    with Scheduler(program, looks=looks) as scheduler:
        search: Any = Search(scheduler) if preemptions is None else Ladder(scheduler, preemptions)
        while True:
            outcome = search.execute()
            if outcome is not None:
                tally.add(outcome, search.executions, "exhaustive")
                end = probe.end()
                if end is not None:
                    ends.add(end)
            if not search.advance():
                break
            if search.executions >= most:
                raise TooLarge
        assert not scheduler.floor.endless, "a daemon polls"
    return ends, {_told(seen.rule) for seen in tally.ordered()}


def _told(rule: str) -> str:
    return "deadlock" if rule.startswith("deadlock.") else rule


def mismatches(
    sketch: Sketch,
    reached: Reached | None = None,
    preemptions: int | None = None,
    most: int = _MOST,
    looks: bool = True,
    orders: Iterable[tuple[str, ...]] | None = None,
) -> Iterator[Mismatch]:
    """Where the search and the enumerator differ, over such ``orders`` of the threads' names, or all.

    ``looks``: see ``searched``.  TooLarge if that takes more than ``most`` executions for one order.
    """
    if reached is None:
        reached = enumerated(sketch, preemptions=preemptions)
    wanted = reached.ends | reached.rules
    for order in permutations(name for name, _ in sketch.threads) if orders is None else orders:
        program, probe = program_of(sketch, order)
        try:
            ends, rules = searched(program, probe, preemptions, most, looks)
        except TooLarge:
            raise
        except Exception as error:
            yield Mismatch(order, frozenset(), frozenset(), repr(error))
            continue
        found = ends | rules
        if found != wanted:
            yield Mismatch(order, frozenset(wanted - found), frozenset(found - wanted))


def turn(sketch: Sketch, n: int) -> tuple[str, ...]:
    """The ``n``-th order of the threads' names, of all in turn."""
    orders = list(permutations(name for name, _ in sketch.threads))
    return orders[n % len(orders)]


def unshown(sketch: Sketch, reached: Reached) -> list[str]:
    """What is wrong with what ``verify`` stores: rules, and findings that their own replay does not show."""
    program, _ = program_of(sketch)
    result = rb.verify(program)
    rules = {_told(f.rule) for f in result.findings if not f.rule.startswith(_PREDICTIONS)}
    # A thread that another one starts has its records in what all can reach: that is told as unseen.
    wrong = [] if result.stats["done"] == 1.0 else ["not complete"]
    wrong += [f"{rule} is missed" for rule in sorted(reached.rules - rules)]
    wrong += [f"{rule} is invented" for rule in sorted(rules - reached.rules)]
    for finding in result.findings:
        try:
            shown = {f.signature for f in rb.replay(program, finding.schedule).findings}
        except rb.RaceBenchError as error:
            shown = {repr(error)}
        if finding.signature not in shown:
            wrong.append(f"replay of {finding.signature} shows {sorted(shown)}")
    return wrong


def described(
    sketch: Sketch, preemptions: int | None = None, wrong: Callable[[Sketch], bool] | None = None
) -> str:
    """A mismatch for a reader: shrunk, as data, as Python, and in what the two differ."""

    def differs(less: Sketch) -> bool:
        try:
            return any(mismatches(less, preemptions=preemptions))
        except TooLarge:
            return False

    small = shrunk(sketch, wrong or differs)
    differences = [f"{'/'.join(m.order)}: {m.text()}" for m in mismatches(small, preemptions=preemptions)]
    return "\n".join(["", repr(small), as_python(small), *differences])
