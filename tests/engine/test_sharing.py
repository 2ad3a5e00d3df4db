"""A search that several explore: the same classes, ends and rules, whoever moves when."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb
from racebench.detect import detect
from racebench.engine import sharing
from racebench.engine.bounded import Bounded, Ladder
from racebench.engine.controlled import Scheduler
from racebench.engine.search import Search
from racebench.engine.sharing import Shared
from racebench.engine.tally import Tally

from .crews import Crew
from .random_programs import interrupted_program, random_program
from .test_verify import Four, _program, four_writes, nested, one_lock, unlocked_increment


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are given away from the first execution on."""
    monkeypatch.setattr(sharing, "_WORTH_IT", 1)


def _run(scheduler: Scheduler, search: Search | Shared, tally: Tally, most: int = 10**9) -> bool:
    """Run ``search`` to its end; False if that is beyond ``most`` executions."""
    going_on = True
    while going_on:
        outcome = search.execute()
        if outcome is not None:
            tally.add(outcome, search.executions, "exhaustive")
            tally.look(detect, scheduler, outcome, search.executions, "exhaustive")
        going_on = search.advance()
        if search.executions > most:
            return False
    assert search.complete
    return True


def shared(program: rb.Program, crew: Crew) -> tuple[Tally, Shared]:
    with Scheduler(program, ghost=True) as scheduler:
        crew.begin(scheduler)
        tally = Tally()
        search = Shared(crew, tally, lambda part: Search(scheduler, part))
        _run(scheduler, search, tally)
    return tally, search


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("functions", "optimum"),
    [([one_lock] * 4, 24), ([one_lock] * 5, 120), ([nested] * 3, 6), ([unlocked_increment] * 3, 36)],
)
def test_one_execution_per_class_whoever_explores_it(functions: list[Any], optimum: int, seed: int) -> None:
    crew = Crew(3, seed)
    _, search = shared(_program(*functions), crew)
    assert (search.executions, search.redundant) == (optimum, 0)
    assert search.done() == pytest.approx(1)
    if optimum > 20:
        assert crew.parts


@pytest.mark.parametrize("make", [random_program, interrupted_program], ids=["threads", "interrupts"])
@pytest.mark.parametrize("block", range(8))
def test_random_programs_shared_and_alone(make: Any, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ends, signatures and counts; a lost helper costs executions, nothing else."""
    parts = 0
    for seed in range(block * 20, block * 20 + 20):
        rich = seed % 2 == 1
        # The first part is split when anything is kept for its sake, or never.
        monkeypatch.setattr(sharing, "_MUCH_KEPT", 0 if seed % 3 else 1_000)
        alone_ends: set[Any] = set()
        with Scheduler(make(seed, rich, alone_ends), ghost=True) as scheduler:
            told, alone = Tally(), Search(scheduler)
            if not _run(scheduler, alone, told, most=600):
                continue
        ends: set[Any] = set()
        crew = Crew(1 + seed % 3, seed)
        tally, search = shared(make(seed, rich, ends), crew)
        parts += crew.parts
        assert (ends, set(tally.seen)) == (alone_ends, set(told.seen)), seed
        if not alone.redundant:
            # With semaphores and predicates, one search may meet a class again that another does not.
            assert (search.executions, search.redundant) == (alone.executions, 0), seed
        ends.clear()
        tally, search = shared(make(seed, rich, ends), Crew(2, seed, lose=2))
        assert (ends, set(tally.seen)) == (alone_ends, set(told.seen)), seed
    assert parts > 5


@pytest.mark.parametrize("bound", [0, 1, 2])
def test_a_bounded_search_in_parts(bound: int) -> None:
    program = rb.Program("four", Four, {name: four_writes for name in "abc"})
    with Scheduler(program, ghost=True) as scheduler:
        alone = Ladder(scheduler, bound)
        while alone.execute() and alone.advance():
            pass
        crew = Crew(2, bound)
        crew.begin(scheduler)
        tally = Tally()

        def rung(scheduler: Scheduler, bound: int) -> Shared:
            return Shared(crew, tally, lambda part: Bounded(scheduler, bound, part), bound)

        ladder = Ladder(scheduler, bound, rung)
        going_on = True
        while going_on:
            ladder.execute()
            going_on = ladder.advance()
    assert (ladder.proved, ladder.complete) == (alone.proved, alone.complete)
    assert ladder.executions == alone.executions
    assert crew.parts
