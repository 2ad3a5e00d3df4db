"""A thread that blocks on what RaceBench does not see: a wait for a thread held back, or a hang."""

from __future__ import annotations

import queue
import sys
import threading
from typing import Any

import pytest

import racebench as rb
from racebench.engine import stillness
from racebench.engine.control import overseer
from racebench.engine.control.fairness import InTurn
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.explain import answers
from racebench.engine.search.loop import Plan
from tests.outside import REAL, from_outside

# What the interpreter gives as the place of a `with` differs.
WITH_RAW = "s.raw" if sys.version_info >= (3, 13) else "with s.raw:"


class Mixed(rb.State):
    x = rb.shared(0, atomic=True)

    def __init__(self) -> None:
        self.lock = rb.Lock("lock")
        self.raw = from_outside(threading.Lock)
        self.queue: queue.Queue[int] = from_outside(queue.Queue)
        self.event = from_outside(threading.Event)


def guarded(s: Mixed) -> None:
    with s.raw:
        s.x += 1


def gets(s: Mixed) -> None:
    s.x += 1
    s.queue.get()


def puts(s: Mixed) -> None:
    s.x += 1
    s.queue.put(1)


def waits(s: Mixed) -> None:
    s.event.wait()


def sets(s: Mixed) -> None:
    s.x += 1
    s.event.set()


def spins(s: Mixed) -> None:
    while not s.event.is_set():
        pass


def raw_then_lock(s: Mixed) -> None:
    with s.raw:
        s.x += 1
        with s.lock:
            pass


def lock_then_raw(s: Mixed) -> None:
    with s.lock:
        s.x += 1
        with s.raw:
            pass


def increments(s: Mixed) -> None:
    s.x += 1


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that blocks or computes for ever is given up soon, one that comes back has a minute for it.

    So however busy the machine is, only those are given up of which it is expected.
    """
    monkeypatch.setattr(stillness, "BLOCKED_S", 0.3)
    monkeypatch.setitem(Scheduler.__init__.__kwdefaults__, "stall_s", 0.6)


@pytest.fixture
def comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overseer, "_BACK_S", 60.0)


def program(*functions: Any) -> rb.Program:
    return rb.Program("mixed", Mixed, dict(zip("abc", functions, strict=False)))


def verify(p: rb.Program) -> rb.Result:
    return answers.verify(p, None, Plan(stall_s=0.6))


def explore(p: rb.Program) -> rb.Result:
    return rb.explore(p, executions=30, stall_s=0.6)


def stress(p: rb.Program) -> rb.Result:
    return rb.stress(p, seconds=1, stall_s=0.6)


CONTROLLED = pytest.mark.parametrize("mode", [verify, explore], ids=["verify", "explore"])


@pytest.mark.usefixtures("comes_back")
@CONTROLLED
@pytest.mark.parametrize(
    ("functions", "where"),
    [
        ((guarded, guarded), f"blocks in `{WITH_RAW}`, called in guarded (control/test_overseer.py:"),
        ((gets, puts), "blocks in queue.Queue.get (threading.Condition.wait), called in gets (control/"),
        ((waits, sets), "blocks in threading.Event.wait (threading.Condition.wait), called in waits ("),
        ((spins, sets), "goes on without steps in "),
    ],
    ids=["lock", "queue", "event", "spin"],
)
def test_a_wait_for_a_thread_that_is_held_back_is_no_hang(functions: Any, where: str, mode: Any) -> None:
    with pytest.raises(rb.ProgramError) as raised:
        mode(program(*functions))
    assert where in str(raised.value)
    assert "which RaceBench does not see, and goes on once other threads do" in str(raised.value)


@pytest.mark.parametrize("functions", [(guarded, guarded), (gets, puts), (waits, sets)])
def test_where_nobody_is_held_back_it_is_no_hang_either(
    functions: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Here nobody is to be given up.
    monkeypatch.setattr(stillness, "BLOCKED_S", 60.0)
    assert rb.stress(program(*functions), seconds=0.2, stall_s=60.0).verdict is rb.Verdict.CLEAN


@pytest.mark.loses_a_thread
@pytest.mark.parametrize("mode", [verify, explore, stress], ids=["verify", "explore", "stress"])
@pytest.mark.parametrize("functions", [(gets, increments), (gets,)], ids=["beside another", "alone"])
def test_what_nobody_can_end_is_a_hang(functions: Any, mode: Any) -> None:
    [finding] = [f for f in mode(program(*functions)).findings if f.rule == "stall.hang"]
    assert "a makes no steps and does not come back" in finding.summary
    assert "queue.Queue.get (threading.Condition.wait), called in gets" in finding.summary


# The thread in the raw lock is given up as lost.  It ends by itself once the other has let go of
# that lock while it unwinds, which may be after the run.
@pytest.mark.loses_a_thread
@pytest.mark.parametrize("mode", [verify, explore], ids=["verify", "explore"])
def test_a_ring_of_our_lock_and_a_raw_one_is_a_hang(mode: Any) -> None:
    found = mode(program(raw_then_lock, lock_then_raw)).findings
    assert "stall.hang" in {f.rule for f in found}


@pytest.mark.loses_a_thread
@pytest.mark.parametrize("mode", [verify, explore, stress], ids=["verify", "explore", "stress"])
def test_what_ends_by_itself_is_not_called_a_hang(mode: Any) -> None:
    def sleeps(s: Mixed) -> None:
        REAL["sleep"](8)

    with pytest.raises(rb.ProgramError, match=r'a blocks in `REAL\["sleep"\]\(8\)`.*; it may go on later'):
        mode(program(sleeps, increments))


def catches_all(s: Mixed) -> None:
    while True:
        try:
            with s.lock:
                s.x += 1
        except BaseException:
            pass


def catches_reading(s: Mixed) -> None:
    while True:
        try:
            s.x  # noqa: B018
        except BaseException:
            pass


def catches_for_a_while(s: Mixed) -> None:
    for _ in range(3):
        try:
            with s.lock:
                rb.check_that(s.x, "not.yet", "x is 0")
        except BaseException:
            s.x  # noqa: B018


@pytest.mark.loses_a_thread
@CONTROLLED
@pytest.mark.parametrize("catches", [catches_all, catches_reading])
@pytest.mark.parametrize("others", [(), (increments,)], ids=["alone", "beside another"])
def test_a_thread_that_catches_what_ends_it_costs_its_program(catches: Any, others: Any, mode: Any) -> None:
    result = mode(program(catches, *others))
    assert {f.rule for f in result.findings} == {"stall.livelock"}
    assert not result.complete
    [said] = result.stats["unseen"]
    assert (
        f"a catches the exception that ends an execution, and goes on in {catches.__name__} (control/" in said
    )


def test_one_that_ends_in_the_end_is_none() -> None:
    result = verify(program(catches_for_a_while))
    assert ({f.rule for f in result.findings}, result.complete) == ({"not.yet"}, True)
    assert result.stats["unseen"] == ()


@CONTROLLED
def test_a_lock_of_ours_made_before_the_run_is_named_so(mode: Any) -> None:
    before = rb.Lock("before")

    def takes(s: Mixed) -> None:
        with before:
            s.x += 1

    with pytest.raises(rb.ProgramError, match="on a primitive that was not made in setup"):
        mode(program(takes, takes))


@pytest.mark.usefixtures("comes_back")
def test_a_thread_that_came_back_makes_the_next_execution_as_ever() -> None:
    """It was unwound where it is, and its late steps touch nothing of the scheduler."""
    with Scheduler(program(waits, sets), stall_s=0.6) as scheduler:
        with pytest.raises(rb.ProgramError, match="goes on once other threads do"):
            scheduler.run(InTurn())
        assert scheduler.lost == []
        assert [task.out for task in scheduler.tasks] == [False, False]
        with pytest.raises(rb.ProgramError, match="goes on once other threads do"):
            scheduler.run(InTurn())


def test_time_that_nobody_looked_at_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([0.0, 0.1, 100.0, 100.1])
    monkeypatch.setattr(stillness.time, "monotonic", lambda: next(now))
    watch = stillness.Watch(5.0)
    watch.look(None, "mark")
    watch.look(None, "mark")
    assert watch.without_steps == 2 * stillness.LOOK_S
    assert not watch.still
