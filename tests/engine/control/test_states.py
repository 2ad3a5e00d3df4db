"""A state that was put back makes the executions of one made anew; one that was not quite is not used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.strategies import STRATEGIES
from racebench.engine.tally import schedule_of
from racebench.scenario.selection import select

RUNS = 60


class Pool(rb.State):
    taken = rb.shared(0)
    spare = rb.shared(0)

    def __init__(self) -> None:
        self.lock, self.again = rb.Lock("pool"), rb.RLock("again")
        self.slots = rb.Semaphore(2)

    def put_back(self) -> bool:
        self.taken = self.spare = 0
        return True


def take(s: Pool) -> int:
    # A lock that a thread makes is numbered after setup's, in each execution from there on.
    with s.again, s.again, rb.Lock("own"), s.lock:
        s.taken += 1
        return s.taken


def take_racily(s: Pool) -> int:
    s.taken += 1
    return s.taken


class Counted:
    """A setup that counts its calls."""

    def __init__(self, make: Callable[[], Any] = Pool) -> None:
        self.make, self.calls = make, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.make()


def pool(thread: Callable[[Any], Any], recycle: Any = Pool.put_back) -> tuple[rb.Program, Counted]:
    def check(s: Pool, results: dict[str, Any]) -> rb.Broken | None:
        return None if s.taken == 2 else rb.broken("pool.lost", f"{s.taken} taken")

    setup = Counted()
    return rb.Program("pool", setup, {"a": thread, "b": thread}, check, recycle=recycle), setup


def executions(program: rb.Program, strategy: str, runs: int = RUNS) -> list[Any]:
    met = []
    with Scheduler(program) as scheduler:
        if isinstance(program.setup, Counted):
            # In a process that knows of delayed fields there was one to look for those.
            program.setup.calls = 0
        chooser = STRATEGIES[strategy](7, len(scheduler.tasks))
        for _ in range(runs):
            outcome = scheduler.run(chooser)
            faults = [(fault.signature, fault.message, fault.at) for fault in outcome.faults]
            idents = [getattr(obj, "_rb_id", None) for _, _, obj in outcome.log]
            met.append((schedule_of(outcome.log), idents, faults, outcome.broken, outcome.results))
            chooser.end(outcome.log, bool(faults or outcome.broken))
    return met


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("thread", [take, take_racily])
def test_what_is_put_back_is_as_good_as_new(strategy: str, thread: Any) -> None:
    program, setup = pool(thread)
    outcomes = executions(program, strategy)
    assert setup.calls == 1
    assert outcomes == executions(replace(program, recycle=None), strategy)
    assert setup.calls == RUNS


@pytest.mark.parametrize(
    ("name", "protocol"),
    [("route_vs_route", "baseline"), ("move_vs_release", "no_rank_lock"), ("bind_vs_bind", "new_vgic")],
)
def test_so_is_a_machine(name: str, protocol: str) -> None:
    [scenario] = [one for one in select([name]) if one.name == name]
    program = scenario.program(protocol)
    setup = Counted(program.setup)
    outcomes = executions(replace(program, setup=setup), "random")
    failed = sum(1 for _, _, faults, _, _ in outcomes if faults)
    assert setup.calls <= 1 + failed < RUNS
    assert outcomes == executions(replace(program, recycle=None), "random")


def forgets_a_field(s: Pool) -> bool:
    s.spare = 0
    return True


def forgets_a_primitive(s: Pool) -> bool:
    s.slots.acquire()
    return s.put_back()


def adds_an_attribute(s: Pool) -> bool:
    s.__dict__["times"] = s.__dict__.get("times", 0) + 1
    return s.put_back()


@pytest.mark.parametrize(
    "recycle", [forgets_a_field, forgets_a_primitive, adds_an_attribute, lambda s: False]
)
def test_what_is_not_put_back_is_made_anew(recycle: Any) -> None:
    program, setup = pool(take, recycle)
    outcomes = executions(program, "random")
    assert setup.calls == RUNS
    assert outcomes == executions(replace(program, recycle=None), "random")
    assert rb.verify(program).verdict is rb.Verdict.CLEAN


def crashes(s: Pool) -> None:
    take(s)
    rb.check_that(s.taken < 2, "pool.full", "both have taken")


def leaks(s: Pool) -> None:
    take_racily(s)
    s.lock.acquire()


@pytest.mark.parametrize("thread", [crashes, leaks])
def test_what_a_thread_has_not_left_in_order_is_made_anew(thread: Any) -> None:
    program, setup = pool(thread)
    outcomes = executions(program, "pct")
    assert setup.calls == sum(1 for _, _, faults, _, _ in outcomes[:-1] if faults) + 1
    assert setup.calls > 1
    assert outcomes == executions(replace(program, recycle=None), "pct")


class Queue(rb.State):
    items = rb.shared([])

    def put_back(self) -> bool:
        return True


def test_a_container_is_made_anew() -> None:
    setup = Counted(Queue)
    program = rb.Program("queue", setup, {"a": lambda s: s.items.append(1)}, recycle=Queue.put_back)
    assert executions(program, "random") == executions(replace(program, recycle=None), "random")
    assert setup.calls == RUNS


def test_a_daemon_that_waits_leaves_nothing_to_put_back() -> None:
    program, setup = pool(take)
    waits = {**program.threads, "d": lambda s: [s.slots.acquire() for _ in range(3)]}
    executions(replace(program, threads=waits, daemons={"d"}), "random")
    assert setup.calls == RUNS
