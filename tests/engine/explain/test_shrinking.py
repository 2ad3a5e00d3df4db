"""Findings are shrunk, replayed, set beside the nearest passing schedule, and say what they need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.explain.conclusion import with_needs
from racebench.engine.explain.deviations import Deviating
from racebench.engine.explain.shrinking import Shrinker, nearest_passing
from racebench.engine.explain.trials import Trials
from racebench.engine.search.evidence import nothing
from racebench.engine.strategies.random import RandomWalk
from racebench.engine.tally import Tally
from racebench.findings import Finding
from racebench.trace import switches

from .. import lock_programs
from .. import programs as p


class Long(rb.State):
    """Many steps that do not matter around two that do."""

    ready = rb.shared(False, atomic=True)
    noise = rb.shared(0, atomic=True)


def _busy(s: Long) -> None:
    for _ in range(24):
        s.noise += 1


def opener(s: Long) -> None:
    _busy(s)
    s.ready = True
    _busy(s)


def user(s: Long) -> None:
    _busy(s)
    rb.check_that(s.ready, "crash.assertion", "used before it is ready")
    _busy(s)


LONG = rb.Program("long", setup=Long, threads={"opener": opener, "user": user})


class Counted:
    """A scheduler whose executions are counted."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self.runs = scheduler, 0

    def run(self, *args: Any, **how: Any) -> Any:
        self.runs += 1
        return self._scheduler.run(*args, **how)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)


def _random_failure(program: rb.Program, steps: int) -> Any:
    """A failure of at least ``steps`` steps that a random walk came upon."""
    strategy = RandomWalk(3, len(program.threads))
    with Scheduler(program) as scheduler:
        for n in range(2_000):
            outcome = scheduler.run(strategy)
            tally = Tally()
            if len(outcome.log) >= steps and tally.add(outcome, n, "random"):
                [seen] = tally.seen.values()
                before = (switches(seen.schedule), len(seen.schedule))
                counted = Counted(scheduler)
                return before, Shrinker(Trials(counted), seen).go(), counted.runs  # type: ignore[arg-type]
    raise AssertionError("no failure that long")


def test_a_schedule_of_many_switches_shrinks_to_the_fewest() -> None:
    before, shrunk, executions = _random_failure(LONG, 90)
    assert before[0] > 20
    # The user alone breaks it: no switch at all, its own 49 steps.
    assert shrunk.measure == (0, 49)
    assert shrunk.preemptions == 0
    assert executions < 1_500


def test_a_deadlock_needs_one_preemption_and_says_so() -> None:
    result = rb.explore(p.abba(), executions=300)
    [hang] = [f for f in result.findings if f.rule == "deadlock.cycle"]
    assert hang.evidence["preemptions"] == 1
    assert hang.evidence["fewest"]
    assert switches(hang.schedule) == 1
    assert hang.evidence["replays"] == [10, 10]


def test_the_nearest_passing_schedule_parts_at_one_decision() -> None:
    program = p.abba()
    hang = next(f for f in rb.verify(program).findings if f.rule == "deadlock.cycle")
    passing = hang.evidence["passing"]
    at = passing["at"]
    schedule = tuple(tuple(step) for step in passing["schedule"])
    assert schedule[:at] == hang.schedule[:at]
    assert passing["failing"] == list(hang.schedule[at]) != passing["passing"] == list(schedule[at])
    rest = tuple((step["thread"], step["op"], step["object"]) for step in passing["rest"])
    assert rest == schedule[at:], "its own steps come with their values"
    assert "deadlock.cycle" not in {f.rule for f in rb.replay(program, schedule).findings}


def test_the_nearest_passing_schedule_parts_as_late_as_can_be() -> None:
    """Of the lost update's decisions two can be made otherwise: the first and the second."""
    program = p.account(p.racy_deposit)
    lost = tuple(
        (thread, op, "Account.balance")
        for thread, op in zip("abab", ("read", "read", "write", "write"), strict=True)
    )
    with Scheduler(program) as scheduler:
        passing = nearest_passing(scheduler, lost)
    assert passing is not None
    assert (passing["at"], passing["failing"], passing["passing"]) == (
        1,
        ["b", "read", "Account.balance"],
        ["a", "write", "Account.balance"],
    )
    with Scheduler(program) as scheduler:
        assert nearest_passing(scheduler, lost[:1])["at"] == 0  # type: ignore[index]


def test_a_thread_that_is_not_needed_is_named_by_its_absence() -> None:
    threads = {"a": p.account_then_log, "b": p.log_then_account, "c": p.locked_deposit}
    program = rb.Program("subset", setup=p.Account, threads=threads)
    hang = next(f for f in rb.verify(program).findings if f.rule == "deadlock.cycle")
    assert set(hang.evidence["needs"]) == {"a", "b"}


def test_operations_that_are_not_needed_are_left_out() -> None:
    from racebench import vgic

    initial = vgic.Initial()
    words = {"tool": ["route virq=41 pirq=70", "route virq=40 pirq=64"], "other": ["route virq=40 pirq=65"]}
    operations = {
        name: [vgic.parse_operation(text, "test", name, initial) for text in texts]
        for name, texts in words.items()
    }
    program = vgic.build_program("needs", initial, operations, vgic.protocol("no_rank_lock"))
    finding = next(f for f in rb.verify(program).findings if f.rule == "mapping.double_success")
    assert finding.evidence["needs"] == {
        "tool": ["route virq=40 pirq=64"],
        "other": ["route virq=40 pirq=65"],
    }


def test_without_time_for_it_nothing_smaller_is_tried() -> None:
    tried: list[rb.Program] = []

    def smaller() -> list[rb.Program]:
        tried.append(program)
        return [program]

    program = replace(p.abba(), smaller=smaller, parts={})
    finding = Finding("deadlock.cycle", "sign", "", (("a", "acquire", "account"),))
    assert with_needs(program, (finding,), nothing, until=0.0) == (finding,)
    assert len(tried) == 1


def test_a_stranger_s_check_is_never_run_with_a_thread_missing() -> None:
    seen: list[set[str]] = []

    def check(s: Any, results: dict[str, Any]) -> Any:
        seen.append(set(results))
        return rb.broken("account.lost", "lost") if s.balance != 3 else None

    threads = {name: p.racy_deposit for name in "abc"}
    rb.verify(rb.Program("three", setup=p.Account, threads=threads, check=check))
    assert all(names == {"a", "b", "c"} for names in seen)


def test_every_schedule_that_is_handed_out_replays() -> None:
    """Those of a search; test_both_modes has those of an exploration."""
    for program in (p.abba(), p.dining(), p.account(p.racy_deposit)):
        for finding in rb.verify(program).findings:
            replayed = rb.replay(program, finding.schedule)
            assert finding.signature in {f.signature for f in replayed.findings}


@pytest.mark.parametrize("seed", [*range(12), 14, 27, 223])
def test_preemptions_are_those_of_the_schedule_and_no_order_has_fewer(seed: int) -> None:
    source = lock_programs.written(seed)
    counted = lock_programs.Enumerator(source)
    least = counted.reached().rules
    fewest: dict[str, int] = {}
    for finding in rb.verify(lock_programs.program(source)).findings:
        preemptions = finding.evidence["preemptions"]
        assert preemptions == counted.preemptions(finding.schedule)
        assert finding.evidence["fewest"]
        fewest[finding.rule] = min(preemptions, fewest.get(finding.rule, preemptions))
    assert {rule: n for rule, n in fewest.items() if not rule.startswith("lock_order.")} == least


def test_no_execution_is_made_twice_for_the_findings_of_one_search() -> None:
    def check(s: p.Account, results: dict[str, Any]) -> list[rb.Broken]:
        low = s.balance < 2
        return [rb.broken("account.lost", "a deposit"), rb.broken("account.low", "a deposit")] if low else []

    program = rb.Program("both", p.Account, {"a": p.racy_deposit, "b": p.racy_deposit}, check)
    with Scheduler(program) as scheduler:
        counted, tally = Counted(scheduler), Tally()
        trials = Trials(counted)  # type: ignore[arg-type]
        outcome = scheduler.run(Deviating({(-1, 0): 0, (0, 1): 1, (1, 2): 0}), always_ask=True)
        tally.add(outcome, 1, "test")
        runs, found = [], []
        for seen in tally.seen.values():
            found.append(Shrinker(trials, seen).go())
            runs.append(counted.runs)
    assert runs[0] == runs[1] > 2
    first, second = found
    assert first is not None and second is not None
    assert first.schedule == second.schedule
    assert (first.preemptions, first.fewest) == (second.preemptions, second.fewest) == (1, True)


def test_a_preemption_after_the_rule_broke_does_not_count() -> None:
    threads = {"a": p.account_then_log, "b": p.log_then_account, "c": p.racy_deposit, "d": p.racy_deposit}
    program = rb.Program("after", setup=p.Account, threads=threads)
    deadlock, after = {(-1, 0): 0, (0, 1): 1}, {(2, 1): 3}
    with Scheduler(program) as scheduler:
        tally = Tally()
        tally.add(scheduler.run(Deviating(deadlock), always_ask=True), 1, "test")
        strategy = Deviating(deadlock | after)
        scheduler.run(strategy, always_ask=True)
        shrunk = Trials(scheduler).along(deadlock | after, False)[next(iter(tally.seen))]
    assert len(strategy.preempted) == 2
    assert shrunk.preemptions == 1
