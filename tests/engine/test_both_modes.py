"""Every primitive, every kind of bug, hammered and explored; each bug with its healthy twin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.engine.progress import Progress

from . import programs as p

Run = Callable[[rb.Program], rb.Result]


def _stress(program: rb.Program) -> rb.Result:
    return rb.stress(program, seconds=60.0, stop_on_first=True)


def _stress_on(program: rb.Program) -> rb.Result:
    return rb.stress(program, seconds=0.3)


def _stress_until_failed_often(program: rb.Program) -> rb.Result:
    """However long that takes."""

    def progress(so_far: Progress) -> None:
        if so_far.executions > 10 and so_far.failures > 3:
            raise KeyboardInterrupt

    return rb.stress(program, seconds=60.0, progress=progress)


def _explore_on(program: rb.Program) -> rb.Result:
    return rb.explore(program, executions=500)


def holding_itself(s: p.Account) -> None:
    with s.lock, s.lock:
        pass


def holding_itself_recursively(s: Any) -> None:
    with s.lock, s.rlock, s.rlock:
        s.balance += 1


class Recursive(p.Account):
    def __init__(self) -> None:
        super().__init__()
        self.rlock = rb.RLock("again")


def leaker(s: p.Account) -> None:
    s.lock.acquire()


def misuser(s: p.Account) -> None:
    s.log.release()


def raiser(s: p.Account) -> None:
    raise KeyError("no such account")


def never_notified(s: p.Buffer) -> None:
    with s.changed:
        s.changed.wait()


def _account(function: Any, setup: Any = p.Account) -> rb.Program:
    return rb.Program("account", setup=setup, threads={"a": function, "b": p.locked_deposit})


BUGGY = {
    "lost update": (p.account(p.racy_deposit), "account.lost"),
    "abba": (p.abba(), "deadlock.cycle"),
    "three in a ring": (p.dining(), "deadlock.cycle"),
    "lost wakeup": (p.buffer(consumer=p.consume_without_looking), "deadlock.wait"),
    "no wakeup": (p.buffer(producer=p.produce_silently), "deadlock.wait"),
    "semaphore of two": (p.semaphore(2), "gate.crowded"),
    "semaphore of none": (p.semaphore(0), "deadlock.wait"),
    "writer as reader": (p.read_write(p.write_pair_as_reader), "pair.torn"),
    "upgrade": (
        rb.Program("upgrade", setup=p.Pair, threads={"a": p.upgrade, "b": p.read_pair}),
        "deadlock.self",
    ),
    "two upgrades": (
        rb.Program("upgrade", setup=p.Pair, threads={"a": p.upgrade, "b": p.upgrade}),
        "deadlock.self",
    ),
    "never opened": (p.waiting(p.forgetful_opener), "deadlock.wait"),
    "takes a lock twice": (_account(holding_itself), "deadlock.self"),
    "ends holding a lock": (_account(leaker), "lock.leaked"),
    "releases what it does not hold": (_account(misuser), "lock.misuse"),
    "raises": (_account(raiser), "program.error"),
}

HEALTHY = {
    "locked update": p.account(p.locked_deposit),
    "one order": p.abba(p.account_then_log),
    "condition": p.buffer(),
    "semaphore of one": p.semaphore(1),
    "read-write lock": p.read_write(),
    "wait_until": p.waiting(),
    "recursive lock": _account(holding_itself_recursively, Recursive),
}


@pytest.mark.parametrize("name", BUGGY)
def test_bug_is_found(name: str) -> None:
    """Hammered; explored is what every strategy is, below."""
    program, rule = BUGGY[name]
    result = _stress(program)
    assert result.verdict is rb.Verdict.FOUND
    assert rule in {f.rule for f in result.findings}, result.findings
    assert result.first_failure is not None


@pytest.mark.parametrize("run", [_stress_on, _explore_on], ids=["stress", "explore"])
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_twin_is_clean(name: str, run: Run) -> None:
    result = run(HEALTHY[name])
    assert result.verdict is rb.Verdict.CLEAN, result.findings
    assert result.executions > 10


@pytest.mark.parametrize("name", BUGGY)
def test_every_explored_finding_replays_ten_times(name: str) -> None:
    program, _ = BUGGY[name]
    for finding in rb.explore(program, executions=200).findings:
        for _ in range(10):
            replayed = rb.replay(program, finding.schedule)
            assert finding.signature in {f.signature for f in replayed.findings}


@pytest.mark.parametrize("name", BUGGY)
@pytest.mark.parametrize("run", [_stress_until_failed_often, _explore_on], ids=["stress", "explore"])
def test_run_goes_on_after_a_finding(name: str, run: Run) -> None:
    program, rule = BUGGY[name]
    result = run(program)
    found = [f for f in result.findings if f.rule == rule]
    assert result.executions > 10
    assert max((f.count for f in found), default=0) > 0


@pytest.mark.parametrize("strategy", ["random", "pct", "pos", "surw", "portfolio"])
@pytest.mark.parametrize("name", BUGGY)
def test_every_strategy_finds_every_bug(name: str, strategy: str) -> None:
    program, rule = BUGGY[name]
    result = rb.explore(program, strategy=strategy, executions=2_000, stop_on_first=True)
    assert result.verdict is rb.Verdict.FOUND
    assert rule in {f.rule for f in result.findings}
    assert result.first_failure is not None


def loops_without_a_step(s: p.Account) -> None:
    while True:
        pass


def loops_with_steps(s: p.Account) -> None:
    while True:
        s.balance += 1


@pytest.mark.parametrize("mode", [rb.stress, rb.explore], ids=["stress", "explore"])
def test_a_loop_without_steps_is_a_hang_and_its_thread_is_stopped(mode: Any) -> None:
    result = mode(_account(loops_without_a_step), stop_on_first=True, stall_s=0.3)
    [finding] = [f for f in result.findings if f.rule == "stall.hang"]
    assert "loops_without_a_step" in str(finding.evidence["stacks"]["a"])


@pytest.mark.parametrize("mode", [rb.stress, rb.explore], ids=["stress", "explore"])
def test_a_loop_with_steps_is_a_livelock(mode: Any) -> None:
    result = mode(_account(loops_with_steps), stop_on_first=True, stall_s=0.3)
    assert "stall.livelock" in {f.rule for f in result.findings}


@pytest.mark.loses_a_thread
@pytest.mark.parametrize("mode", [rb.stress, rb.explore], ids=["stress", "explore"])
def test_a_thread_that_never_comes_back_is_named_and_the_run_ends(mode: Any) -> None:
    raw = threading.Lock()

    def takes_twice(s: p.Account) -> None:
        raw.acquire()
        raw.acquire()

    result = mode(_account(takes_twice), stop_on_first=True, stall_s=0.3)
    [finding] = [f for f in result.findings if f.rule == "stall.hang"]
    assert "takes_twice" in str(finding.evidence["stacks"]["a"])
    assert "a makes no steps" in finding.summary


@pytest.mark.parametrize("mode", [rb.stress, rb.explore], ids=["stress", "explore"])
def test_a_deadlock_beside_a_busy_thread_is_seen(mode: Any) -> None:
    threads = {"a": p.account_then_log, "b": p.log_then_account, "c": lambda s: None}
    program = rb.Program("subset", setup=p.Account, threads=threads)
    result = mode(program, stop_on_first=True)
    finding = result.findings[0]
    assert finding.rule == "deadlock.cycle"
    assert {edge["thread"] for edge in finding.evidence["ring"]} == {"a", "b"}
    for edge in finding.evidence["ring"]:
        assert edge["holds"] and "programs.py" in edge["wants"]["site"]


@pytest.mark.parametrize("mode", [rb.stress, rb.explore], ids=["stress", "explore"])
def test_setup_that_raises_is_a_clear_error(mode: Any) -> None:
    program = rb.Program("bad", setup=lambda: 1 / 0, threads={"a": lambda s: None})
    with pytest.raises(rb.ProgramError, match="setup raised"):
        mode(program)


@pytest.mark.parametrize("mode", [rb.stress, rb.explore], ids=["stress", "explore"])
def test_check_that_raises_is_a_finding(mode: Any) -> None:
    def check(s: Any, results: dict[str, Any]) -> None:
        raise IndexError("beyond")

    program = rb.Program("bad", setup=p.Account, threads={"a": lambda s: None}, check=check)
    result = mode(program, stop_on_first=True)
    assert result.findings[0].rule == "program.error"


def test_runs_do_not_nest() -> None:
    def nested(s: Any) -> None:
        rb.explore(p.abba(), executions=1)

    program = rb.Program("nested", setup=p.Account, threads={"a": nested})
    [finding] = rb.explore(program, executions=3).findings
    assert "another RaceBench run" in finding.summary
