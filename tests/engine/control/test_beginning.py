"""Threads that have not begun: their first offers stand in for them, and nothing else is different."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.lookout import Lookout
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.strategies import STRATEGIES

from ..programs import Box, locked
from ..random_programs import interrupted_program, random_program


def bare(s: Box) -> None:
    s.y += 1


def waits(s: Box) -> None:
    rb.wait_until(lambda: s.y)


class InOrder:
    """A strategy: the first that can go on; notes who is fresh when it is asked first."""

    def begin(self) -> None:
        self.fresh: set[str] | None = None

    def pick(self, enabled: Any, current: Any) -> Any:
        if self.fresh is None:
            self.fresh = {task.name for task in enabled if task.fresh}
        return enabled[0]


def test_a_thread_whose_first_offer_is_known_begins_when_it_is_chosen() -> None:
    program = rb.Program("box", Box, {"a": locked, "b": bare, "c": waits, "d": locked})
    asked = []
    with Scheduler(program) as scheduler:
        for _ in range(8):
            strategy = InOrder()
            outcome = scheduler.run(strategy, always_ask=True)
            asked.append(strategy.fresh)
            assert not outcome.faults
            assert (outcome.state.x, outcome.state.y) == (2, 1)
            assert [task.name for task, _, _ in outcome.log] == [*"aaaabbcdddd"]
    # An execution that is looked at has all of them come; what waits for a predicate always comes.
    assert asked == [set(), set(), {"a", "b"}, set(), {"a", "b"}, {"a", "b"}, {"a", "b"}, set()]


@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "surw"])
@pytest.mark.parametrize("kind", [random_program, interrupted_program])
def test_the_same_is_done_as_if_all_had_come(
    strategy: str, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def executions(program: rb.Program, seed: int) -> list[Any]:
        done = []
        with Scheduler(program) as scheduler:
            chooser = STRATEGIES[strategy](seed, len(scheduler.tasks))
            for _ in range(30):
                outcome = scheduler.run(chooser)
                chooser.end(outcome.log, bool(outcome.faults))
                steps = [(task.name, op.kind, op.field, obj._rb_id) for task, op, obj in outcome.log]
                done.append((steps, [fault.signature for fault in outcome.faults], outcome.results))
        return done

    programs = [kind(seed, rich, set()) for seed in range(10) for rich in (False, True)]
    begun = [executions(program, 3) for program in programs]
    monkeypatch.setattr(Lookout, "sees_all", False)
    for program, done in zip(programs, begun, strict=True):
        assert executions(program, 3) == done


def test_who_never_comes_to_its_first_step_has_made_none() -> None:
    def crashes(s: Box) -> None:
        rb.check_that(s.x != 0, "box.empty", "nothing is in it")

    program = rb.Program("box", Box, {"b": bare, "c": locked, "a": crashes})
    with Scheduler(program) as scheduler:
        chooser = STRATEGIES["random"](0, 3)
        for _ in range(60):
            outcome = scheduler.run(chooser)
            by = {task.name for task, _, _ in outcome.log}
            assert outcome.state.y == 0 or "b" in by
            assert outcome.state.x == 0 or "c" in by


def test_what_holds_its_thread_back_for_good_is_told_with_its_place() -> None:
    def keeps(s: Box) -> None:
        s.lock.acquire()
        rb.wait_until(lambda: s.y > 1)

    program = rb.Program("box", Box, {"b": locked, "c": locked, "a": keeps})
    result = rb.verify(program)
    hang = next(f for f in result.findings if f.rule.startswith("deadlock") or f.rule.startswith("stall"))
    assert "test_beginning.py" in hang.summary or "test_beginning.py" in str(hang.evidence)


_begins = [bare]


def begins(s: Box) -> None:
    for part in _begins:
        part(s)


def _known(scheduler: Scheduler) -> None:
    """Run two executions, after which it is known how threads begin."""
    for _ in range(2):
        scheduler.run(InOrder(), always_ask=True)


@pytest.fixture(params=[[locked], []], ids=["otherwise", "not at all"])
def other(request: pytest.FixtureRequest) -> Iterator[Any]:
    """How the thread begins from the third execution on."""
    before = _begins[:]
    yield lambda: _begins.__setitem__(slice(None), request.param)
    _begins[:] = before


def test_one_that_does_not_begin_as_before_ends_a_search_that_must_know(other: Any) -> None:
    program = rb.Program("box", Box, {"a": begins, "b": locked})
    with Scheduler(program) as scheduler:
        _known(scheduler)
        other()
        with pytest.raises(rb.ProgramError, match="a does not begin as it did before"):
            scheduler.run(InOrder(), always_ask=True)


def test_one_that_does_not_begin_as_before_is_asked_for_once_more(other: Any) -> None:
    program = rb.Program("box", Box, {"a": begins, "b": locked})
    with Scheduler(program) as scheduler:
        _known(scheduler)
        other()
        for _ in range(6):
            outcome = scheduler.run(InOrder())
            assert not outcome.faults
            assert outcome.state.x == 1 + len(_begins)
            assert [task.name for task, _, _ in outcome.log] == [*"aaaa" * len(_begins), *"bbbb"]
