"""What counts as a preemption is the same in a bound, in a finding and in a count of every order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.scheduler import Outcome, Scheduler
from racebench.engine.tally import signature_of


class Plain(rb.State):
    x = rb.shared(0, atomic=True)
    y = rb.shared(0, atomic=True)

    def __init__(self) -> None:
        self.lock = rb.Lock("lock")
        self.rw = rb.RWLock("rw")
        self.cond = rb.Condition(rb.Lock("guard"), "cond", spurious=True)


class Delayed(rb.State):
    x = rb.shared(0, atomic=True, delayed=True)
    y = rb.shared(0, atomic=True, delayed=True)


def crashes(s: Plain) -> None:
    s.x = 1
    rb.check_that(s.y == 0, "crash.y", "y is set")


def sets_then_clears(s: Plain) -> None:
    s.y = 1
    s.y = 0


def leaks(s: Plain) -> None:
    s.lock.acquire()
    if s.x == 0:
        s.lock.release()


def sets(s: Plain) -> None:
    with s.lock:
        s.y = 1
    s.x = 1


def raises(s: Plain) -> None:
    if s.x == s.y + 1:
        raise ValueError("between")


def both(s: Plain) -> None:
    s.x = 1
    s.y = 1


def increments(s: Plain) -> None:
    s.x += 1


def left_then_right(s: Delayed) -> int:
    s.x = 1
    return s.y


def right_then_left(s: Delayed) -> int:
    s.y = 1
    return s.x


def reads_twice(s: Plain) -> None:
    with s.rw.read():
        s.y += 1
        with s.rw.read():
            pass


def writes(s: Plain) -> None:
    with s.rw.write():
        s.x = 1


def waits(s: Plain) -> int:
    with s.cond:
        if s.x == 0:
            s.cond.wait()
        return s.x


def notifies(s: Plain) -> None:
    with s.cond:
        s.cond.notify()
    s.x = 1


def ends(rule: str, wrong: Callable[[Any, dict[str, Any]], bool]) -> Any:
    return lambda s, results: rb.broken(rule, "it ended so") if wrong(s, results) else None


PROGRAMS = [
    rb.Program("crash", setup=Plain, threads={"a": crashes, "b": sets_then_clears}),
    rb.Program("leak", setup=Plain, threads={"a": leaks, "b": sets}),
    rb.Program("error", setup=Plain, threads={"a": both, "b": raises, "c": raises}),
    rb.Program(
        "interrupt", setup=Plain, threads={"a": increments, "b": increments},
        interrupts={"irq": ("a", increments)}, check=ends("end.lost", lambda s, r: s.x < 3),
    ),
    rb.Program(
        "buffers", setup=Delayed, threads={"a": left_then_right, "b": right_then_left},
        check=ends("end.both", lambda s, r: r == {"a": 0, "b": 0}),
    ),
    rb.Program("readers", setup=Plain, threads={"a": reads_twice, "b": writes}),
    rb.Program(
        "sleepers", setup=Plain, threads={"a": waits, "b": notifies},
        check=ends("end.unasked", lambda s, r: r["a"] == 0),
    ),
]  # fmt: skip


class EveryOrder:
    """Every order of steps, one execution each: the choices of the last one, with those left."""

    def __init__(self) -> None:
        self.left: list[list[str]] = []
        self.begin()

    def begin(self) -> None:
        self.at, self.last = 0, ""
        self.counts: list[int] = [0]

    def pick(self, enabled: list[Any], current: Any) -> Any:
        names = [task.name for task in enabled]
        if self.at == len(self.left):
            self.left.append(list(names))
        chosen = self.left[self.at][0]
        self.at += 1
        self.counts.append(self.counts[-1] + (self.last in names and chosen != self.last))
        self.last = chosen
        return next(task for task in enabled if task.name == chosen)

    def further(self) -> bool:
        while self.left:
            self.left[-1].pop(0)
            if self.left[-1]:
                return True
            self.left.pop()
        return False


class Counting:
    """Follows the threads of a schedule, and counts."""

    def __init__(self, schedule: Any) -> None:
        self.order = [thread for thread, _, _ in schedule]
        self.count = self.at = 0

    def begin(self) -> None:
        pass

    def pick(self, enabled: list[Any], current: Any) -> Any:
        names = [task.name for task in enabled]
        chosen = self.order[self.at] if self.at < len(self.order) else names[0]
        if 0 < self.at < len(self.order):
            self.count += self.order[self.at - 1] in names and chosen != self.order[self.at - 1]
        self.at += 1
        return next(task for task in enabled if task.name == chosen)


def broken_in(outcome: Outcome) -> dict[str, int]:
    """What broke, and after how many steps."""
    broke = {signature_of(broken): len(outcome.log) for broken in outcome.broken}
    for fault in outcome.faults:
        broke.setdefault(fault.signature, fault.at)
    return broke


def least(program: rb.Program) -> dict[str, int]:
    """The fewest preemptions after which each signature comes, over every order."""
    found: dict[str, int] = {}
    orders = EveryOrder()
    with Scheduler(program) as scheduler:
        while True:
            outcome = scheduler.run(orders, always_ask=True)
            for signature, steps in broken_in(outcome).items():
                count = orders.counts[steps]
                found[signature] = min(count, found.get(signature, count))
            if not orders.further():
                return found


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_bound_and_a_finding_count_as_every_order_does(program: rb.Program) -> None:
    fewest = least(program)
    assert fewest
    whole = rb.verify(program)
    assert whole.complete
    happened = [f for f in whole.findings if f.signature in fewest]
    assert {f.signature for f in happened} == fewest.keys()
    for finding in happened:
        assert finding.evidence["preemptions"] == fewest[finding.signature]
        assert finding.evidence["fewest"]
        counting = Counting(finding.schedule)
        with Scheduler(program) as scheduler:
            assert finding.signature in broken_in(scheduler.run(counting, always_ask=True))
        assert counting.count == finding.evidence["preemptions"]
    for bound in range(max(fewest.values()) + 1):
        found = {f.signature for f in rb.verify(program, preemptions=bound).findings}
        assert found & fewest.keys() == {name for name, least_of_it in fewest.items() if least_of_it <= bound}
