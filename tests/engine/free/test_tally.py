"""What a batch of collisions comes to, with workers that do not run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import racebench as rb
from racebench.engine.free.tally import FreeTally
from racebench.engine.stuck import Fault
from racebench.findings import Alarm


def worker(name: str = "a", done: int = 0, **faults: str) -> Any:
    """A worker that came to slot ``done`` of its batch; ``faults`` are by slot: ``s3="rule"``."""
    said = [
        (int(slot[1:]), Fault(rule, f"{rule}: sign", "said", n))
        for n, (slot, rule) in enumerate(faults.items())
    ]
    return SimpleNamespace(name=name, slot=done, lost=False, faults=said, results=["done"] * 8, chains={})


def tally(
    *workers: Any, check: Any = None, rings: Any = lambda edges: [], stopping: bool = False
) -> FreeTally:
    program = rb.Program("free", dict, {"a": lambda state: None}, check)
    crowd = list(workers)
    run: Any = SimpleNamespace(workers=crowd, everyone=crowd, states=list(range(8)), stopping=stopping)
    return FreeTally(program, run, rings)


@pytest.mark.parametrize("slot", [0, 3])
def test_the_first_failure_counts_itself_and_those_before(slot: int) -> None:
    counted = tally(worker(done=8, **{f"s{slot}": "a.b"}))
    assert counted.take(8, 0.0) == {"a.b: sign": 1}
    assert counted.first == slot + 1
    assert counted.findings("stress", 0)[0].after == slot + 1
    assert counted.first_s is not None


def test_the_first_failure_counts_the_batches_before() -> None:
    one = worker(done=8)
    counted = tally(one)
    assert counted.take(8, 0.0) == {}
    one.faults = [(2, Fault("a.b", "a.b: sign", "said", 0))]
    counted.take(8, 0.0)
    assert (counted.collisions, counted.first, counted.first_finding) == (16, 11, 11)


def test_a_check_that_fails_counts_as_the_collision_that_it_looked_at() -> None:
    def check(state: Any, results: Any) -> Any:
        return rb.broken("c.d", "odd") if state == 5 else None

    counted = tally(worker(done=8), check=check)
    assert counted.take(8, 0.0).total() == 1
    assert (counted.first, counted.failures) == (6, 1)
    [finding] = counted.findings("stress", 3)
    assert (finding.rule, finding.mode, finding.seed, finding.schedule) == ("c.d", "stress", 3, ())
    assert finding.evidence["results"] == {"a": "'done'"}


def test_a_check_that_raises_is_a_finding() -> None:
    def check(state: Any, results: Any) -> Any:
        raise ValueError("the check")

    counted = tally(worker(done=1), check=check)
    assert counted.take(1, 0.0).total() == 1
    assert [f.rule for f in counted.findings("stress", 0)] == ["program.error"]


def test_what_no_worker_came_to_is_not_checked_nor_counted_when_cut_off() -> None:
    checked: list[Any] = []
    counted = tally(
        worker(done=3), worker("b", done=5), check=lambda s, results: checked.append(s), stopping=True
    )
    counted.take(8, 0.0)
    assert checked == [0, 1, 2]
    assert counted.collisions == 3


def test_what_comes_after_a_deadlock_in_the_same_collision_is_not_told() -> None:
    one = worker(done=8)
    one.faults = [
        (0, Fault(rule, rule, "said", at)) for at, rule in ((2, "lock.leaked"), (1, "deadlock.cycle"))
    ]
    counted = tally(one)
    counted.take(8, 0.0)
    assert list(counted.seen) == ["deadlock.cycle"]


def test_orders_are_looked_at_when_there_are_new_ones_and_an_alarm_counts_once() -> None:
    asked: list[int] = []

    def rings(edges: Any) -> list[Alarm]:
        asked.append(len(edges))
        return [Alarm("lock_order.inversion", "a -> b", "both orders")]

    one = worker(done=4)
    counted = tally(one, rings=rings)
    counted.take(4, 0.0)
    assert asked == []
    one.chains = {"x": ["edge"]}
    counted.take(4, 0.0)
    counted.take(4, 0.0)
    one.chains = {"x": ["edge"], "y": ["edge", "edge"]}
    counted.take(4, 0.0)
    assert asked == [1, 3]
    [finding] = counted.findings("stress", 0)
    assert (finding.count, finding.after, counted.first, counted.first_finding) == (1, 8, None, 8)
