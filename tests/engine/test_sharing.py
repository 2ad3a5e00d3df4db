"""A search that several explore: the same classes, ends and rules, whoever moves when."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb
from racebench import engine
from racebench.detect import detect
from racebench.engine import sharing
from racebench.engine.bounded import Bounded, Ladder
from racebench.engine.classes import class_of
from racebench.engine.controlled import Scheduler
from racebench.engine.parts import Report
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


@pytest.fixture
def classes(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The class of each execution that any explorer runs."""
    met: set[int] = set()
    execute = Search.execute

    def noted(self: Search) -> Any:
        outcome = execute(self)
        if outcome is not None:
            met.add(class_of(outcome.log, len(self.scheduler.tasks)))
        return outcome

    monkeypatch.setattr(Search, "execute", noted)
    return met


def shared(program: rb.Program, crew: Crew) -> tuple[Tally, Shared]:
    with Scheduler(program, ghost=True) as scheduler:
        return _shared(scheduler, crew)


def _shared(scheduler: Scheduler, crew: Crew) -> tuple[Tally, Shared]:
    crew.begin(scheduler)
    tally = Tally()
    search = Shared(crew, tally, lambda part: Search(scheduler, part))
    _run(scheduler, search, tally)
    return tally, search


def _counts(tally: Tally) -> dict[str, int]:
    return {signature: seen.count for signature, seen in tally.seen.items()}


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
def test_random_programs_shared_and_alone(
    make: Any, block: int, classes: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same ends, classes and counts; a lost helper costs executions, nothing else."""
    parts = 0
    for seed in range(block * 20, block * 20 + 20):
        # The first part is split when anything is kept for its sake, or never.
        monkeypatch.setattr(sharing, "_MUCH_KEPT", 0 if seed % 3 else 1_000)
        ends: set[Any] = set()
        with Scheduler(make(seed, seed % 2 == 1, ends), ghost=True) as scheduler:
            told, alone = Tally(), Search(scheduler)
            classes.clear()
            if not _run(scheduler, alone, told, most=600):
                continue
            expected = set(ends), set(classes)
            for crew in (Crew(1, seed), Crew(1 + seed % 3, seed), Crew(2, seed, lose=2)):
                ends.clear()
                classes.clear()
                tally, search = _shared(scheduler, crew)
                parts += crew.parts
                assert (ends, classes) == expected, seed
                assert set(tally.seen) == set(told.seen), seed
                # With semaphores and predicates, one search may meet a class again that another does not.
                if not alone.redundant and not crew.lost:
                    assert (search.executions, search.redundant) == (alone.executions, 0), seed
                    assert _counts(tally) == _counts(told), seed
    assert parts > 10


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


def test_a_bound_that_only_a_helper_met_is_met() -> None:
    """What a helper left out, because of the bound, is not proved."""

    class OnePart:
        helpers = (7,)

        def __init__(self) -> None:
            self.sent: list[str] = []

        def news(self) -> list[tuple[int, Report | None]]:
            return [(7, Report(executions=3, over=True, cut=True))] if "part" in self.sent else []

        def wait(self, seconds: float) -> None: ...

        def send(self, helper: int, word: str, what: Any) -> None:
            self.sent.append(word)

        def close(self) -> None: ...

    crew = OnePart()
    with Scheduler(_program(unlocked_increment, unlocked_increment), ghost=True) as scheduler:
        search = Shared(crew, Tally(), lambda part: Bounded(scheduler, 9, part), 9)
        going_on = True
        while going_on:
            search.execute()
            going_on = search.advance()
    assert "part" in crew.sent
    assert search.complete
    assert search.cut


def test_nobody_is_left_talking_while_the_findings_are_shrunk() -> None:
    told: list[str] = []

    def check(s: Four, results: dict[str, Any]) -> rb.Broken:
        told.append("run")
        return rb.broken("always", "it breaks")

    class Noting(Crew):
        def close(self) -> None:
            told.append("close")

    program = rb.Program("four", Four, {name: four_writes for name in "abc"}, check)
    result = engine.verify(program, max_executions=5, crew=Noting(0, 0))
    assert result.findings[0].rule == "always"
    assert told[:6] == [*["run"] * 5, "close"]
    assert "run" in told[6:]
