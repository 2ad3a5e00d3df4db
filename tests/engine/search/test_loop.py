"""The search loop over a source whose executions are written down: when it ends, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from racebench.engine.search.loop import Loop, Plan
from racebench.engine.tally import Tally
from racebench.findings import Alarm, Broken
from racebench.trace import Execution

SCHEDULER: Any = SimpleNamespace(
    tasks=[],
    program=SimpleNamespace(threads={}, parts={}, interrupts={}),
    floor=SimpleNamespace(crashed=False),
)


def ended(*rules: str) -> Any:
    """An execution that breaks ``rules``."""
    return SimpleNamespace(log=[], faults=[], broken=tuple(Broken(rule, "so") for rule in rules), parts=None)


@dataclass
class Script:
    """A source that has these executions, None for one that was explored already."""

    script: list[Any]
    old: set[int] = field(default_factory=set)
    """The numbers of those whose class was seen before."""
    restarts_at: int = 0

    mode, by, complete, clean = "explore", "script", True, True
    executions = restarts = 0

    def __post_init__(self) -> None:
        self.heard: list[tuple[bool, bool]] = []
        self.ends: list[bool] = []

    def execute(self) -> Any:
        outcome = self.script[self.executions]
        self.executions += 1
        self.restarts = int(0 < self.restarts_at <= self.executions)
        return outcome

    def advance(self) -> bool:
        return self.executions < len(self.script)

    def novel(self, outcome: Any) -> bool:
        return self.executions not in self.old

    def brought(self, found: bool, new: bool) -> None:
        self.heard.append((found, new))

    def over(self, found: bool) -> None:
        self.ends.append(found)

    def note(self, seconds: float, found: bool) -> str:
        return f"found {found}"

    def stats(self, seconds: float, found: bool) -> dict[str, Any]:
        return {}


def run(script: Script, plan: Plan, **how: Any) -> Loop:
    loop = Loop(plan, **how)
    loop.run(SCHEDULER, script)
    return loop


def test_it_ends_with_its_schedules() -> None:
    script = Script([ended(), ended("a.b"), None, ended("a.b", "c.d")])
    loop = run(script, Plan())
    assert script.executions == 4
    assert {s.signature: (s.count, s.after) for s in loop.tally.ordered()} == {
        "a.b: so": (2, 2),
        "c.d: so": (1, 4),
    }
    assert (loop.tally.failures, loop.tally.first_finding) == (2, 2)
    assert script.ends == [True]


def test_the_source_hears_what_each_execution_brought() -> None:
    script = Script([ended(), ended("a.b"), None, ended("a.b")])
    run(script, Plan())
    assert script.heard == [(False, False), (True, True), (True, False)]


def test_it_ends_after_so_many_executions() -> None:
    script = Script([ended()] * 9)
    run(script, Plan(4))
    assert script.executions == 4
    assert script.ends == [False]


@pytest.mark.parametrize("plan", [Plan(0), Plan(seconds=0.0)])
def test_of_nothing_nothing_is_run(plan: Plan) -> None:
    script = Script([ended()])
    loop = run(script, plan)
    assert script.executions == 0
    assert not loop.tally.seen


def test_a_time_that_is_over_ends_it_after_the_execution_that_runs() -> None:
    script = Script([ended()] * 9)
    run(script, Plan(seconds=1e-9))
    assert script.executions == 1


def test_it_ends_with_the_first_that_breaks_a_rule_if_asked() -> None:
    script = Script([ended(), ended("a.b"), ended()])
    run(script, Plan(stop_on_first=True))
    assert script.executions == 2


def test_it_ends_when_there_is_enough() -> None:
    def enough(tally: Tally) -> bool:
        return "c.d: so" in tally.seen

    script = Script([ended("a.b"), ended("c.d"), ended()])
    run(script, Plan(), enough=enough)
    assert script.executions == 2


def test_what_was_forgotten_is_not_counted() -> None:
    """The third execution is the first of a new beginning: what came before will come again."""
    script = Script([ended("a.b"), ended("a.b"), ended("c.d")], restarts_at=3)
    loop = run(script, Plan())
    assert [s.signature for s in loop.tally.ordered()] == ["c.d: so"]
    assert loop.tally.failures == 1


def test_detectors_look_at_one_execution_of_each_class() -> None:
    looked: list[Execution] = []

    def detect(execution: Execution) -> list[Alarm]:
        looked.append(execution)
        return [Alarm("e.f", "e.f: told", "told")]

    loop = run(Script([ended(), ended(), ended()], old={2}), Plan(detect=detect))
    assert len(looked) == 2
    [seen] = loop.tally.ordered()
    assert (seen.alarm, seen.count, seen.after) == (True, 2, 1)
    assert (loop.tally.failures, loop.tally.first, loop.tally.first_finding) == (0, None, 1)


def test_progress_is_told_as_it_is_counted() -> None:
    reports: list[Any] = []
    run(Script([ended("a.b"), ended()]), Plan(progress=reports.append))
    first = reports[0]
    assert (first.executions, first.failures, first.note) == (1, 1, "found True")


def test_what_was_met_stays_when_a_callback_ends_it() -> None:
    def interrupt(progress: Any) -> None:
        raise KeyboardInterrupt

    loop = Loop(Plan(progress=interrupt))
    with pytest.raises(KeyboardInterrupt):
        loop.run(SCHEDULER, Script([ended("a.b"), ended()]))
    assert list(loop.tally.seen) == ["a.b: so"]
    assert loop.seconds > 0
