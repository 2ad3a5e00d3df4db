"""Exhaustive search: the known optima, and agreement with brute force."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb

from .. import programs as p
from ..random_programs import FEW, agreed, random_program
from ..test_both_modes import BUGGY, HEALTHY


class Locks(rb.State):
    x = rb.shared(0)

    def __init__(self) -> None:
        self.a = rb.Lock("a")
        self.b = rb.Lock("b")


def one_lock(s: Locks) -> None:
    with s.a:
        pass


def nested(s: Locks) -> None:
    with s.a, s.b:
        pass


def nested_the_other_way(s: Locks) -> None:
    with s.b, s.a:
        pass


def unlocked_increment(s: Locks) -> None:
    s.x += 1


def _program(*functions: Any) -> rb.Program:
    return rb.Program("optimum", Locks, {f"t{i}": f for i, f in enumerate(functions)})


@pytest.mark.parametrize(
    ("functions", "optimum"),
    [
        ([one_lock] * 2, 2),
        ([one_lock] * 3, 6),
        ([one_lock] * 4, 24),
        ([one_lock] * 5, 120),
        ([nested, nested_the_other_way], 3),
        ([nested] * 2, 2),
        ([nested] * 3, 6),
        ([unlocked_increment] * 2, 4),
        ([unlocked_increment] * 3, 36),
    ],
)
def test_one_execution_per_class(functions: list[Any], optimum: int) -> None:
    result = rb.verify(_program(*functions))
    assert result.complete
    assert result.executions == optimum
    assert result.stats["redundant"] == 0


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize("family", ["plain", "rich"])
@pytest.mark.parametrize("block", range(10))
@pytest.mark.parametrize("most", [FEW, pytest.param(1_500, marks=pytest.mark.soak)])
def test_verify_agrees_with_brute_force(family: str, block: int, most: int) -> None:
    """10 x 28 x 2 programs: the same end states, the same broken rules."""

    def make(seed: int, ends: set[Any]) -> rb.Program:
        return random_program(seed, family == "rich", ends)

    assert agreed(family, make, range(block * 28, block * 28 + 28), most) > 14


@pytest.mark.parametrize("name", BUGGY)
def test_verify_finds_every_bug(name: str) -> None:
    program, rule = BUGGY[name]
    result = rb.verify(program)
    assert result.verdict is rb.Verdict.FOUND
    assert rule in {f.rule for f in result.findings}


@pytest.mark.parametrize("name", HEALTHY)
def test_verify_proves_the_healthy_twin(name: str) -> None:
    result = rb.verify(HEALTHY[name])
    assert result.verdict is rb.Verdict.CLEAN
    assert result.complete


def test_a_budget_that_ends_first_is_unknown_and_says_how_far_it_is() -> None:
    result = rb.verify(_program(*[one_lock] * 4), max_executions=5)
    assert result.verdict is rb.Verdict.UNKNOWN
    assert not result.complete
    assert 0 < result.stats["done"] < 1


def test_a_bound_is_no_proof_but_finds_what_is_within_it() -> None:
    program = p.abba()
    within = rb.verify(program, preemptions=0)
    assert {f.rule for f in within.findings} == {"lock_order.inversion"}
    assert not within.complete
    assert within.stats["preemption_bound"] == 0
    found = rb.verify(program, preemptions=1)
    assert {f.rule for f in found.findings} == {"lock_order.inversion", "deadlock.cycle"}


def test_a_program_that_changes_from_run_to_run_is_a_clear_error() -> None:
    runs = []

    def fickle(s: Locks) -> None:
        runs.append(1)
        if len(runs) % 2:
            s.x += 1
        else:
            with s.a:
                s.x = 1

    with pytest.raises(rb.ProgramError, match="not deterministic"):
        rb.verify(_program(fickle, unlocked_increment, unlocked_increment))


def test_explore_survives_a_program_that_changes_from_run_to_run() -> None:
    runs = []

    def fickle(s: Locks) -> None:
        runs.append(1)
        for _ in range(len(runs) % 3):
            s.x += 1

    assert rb.explore(_program(fickle, fickle), executions=50).executions == 50


class Four(rb.State):
    x = rb.shared(0, atomic=True)


def four_writes(s: Four) -> None:
    for n in range(4):
        s.x = n


LARGE = rb.Program("large", setup=Four, threads={name: four_writes for name in "abcd"})


def test_a_long_search_proves_bounds_on_the_way() -> None:
    notes: list[str] = []
    result = rb.verify(LARGE, max_executions=6_000, progress=lambda p: notes.append(p.note))
    assert result.verdict is rb.Verdict.UNKNOWN
    assert not result.complete
    assert result.stats["preemption_bound"] == 1
    assert result.stats["proved"].startswith("no fault with up to 1 preemption; about ")
    assert notes
    assert "of all schedules seen" in notes[-1]


def test_a_bound_that_keeps_nothing_out_is_a_whole_proof() -> None:
    result = rb.verify(_program(one_lock, one_lock), preemptions=9)
    assert result.complete
    assert result.verdict is rb.Verdict.CLEAN


def test_ctrl_c_keeps_what_is_proved() -> None:
    def interrupt(progress: Any) -> None:
        if progress.executions > 4_000:
            raise KeyboardInterrupt

    result = rb.verify(LARGE, progress=interrupt)
    assert result.interrupted
    assert result.verdict is rb.Verdict.UNKNOWN
    assert result.stats["preemption_bound"] == 1


def test_an_interrupt_with_the_floor_already_taken_back_is_no_hang() -> None:
    """The signal may arrive between the acquisition and the next instruction."""

    class Lying:
        def __init__(self, real: Any) -> None:
            self.real, self.left = real, 3

        def acquire(self, *args: Any, **how: Any) -> bool:
            taken = bool(self.real.acquire(*args, **how))
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt
            return taken

        def release(self) -> None:
            self.real.release()

    from racebench.engine.control.scheduler import Scheduler
    from racebench.engine.strategies.random import RandomWalk

    strategy = RandomWalk(0, 4)
    with Scheduler(LARGE) as scheduler:
        scheduler.floor.control = Lying(scheduler.floor.control)  # type: ignore[assignment]
        scheduler.run(strategy)
        scheduler.run(strategy)
        with pytest.raises(KeyboardInterrupt):
            scheduler.run(strategy)
        assert len(scheduler.run(strategy).log) == 16
