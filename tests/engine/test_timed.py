"""Waits that time out, events, barriers and atomic values, in every mode; and the clock that they move."""

from __future__ import annotations

from typing import Any

import pytest

import racebench as rb
from racebench.primitives import clock

from .timed import BUGGY, HEALTHY


@pytest.mark.parametrize("name", BUGGY)
def test_a_bug_is_found_under_control_and_its_replay_shows_it(name: str) -> None:
    program, rule = BUGGY[name]
    result = rb.verify(program)
    assert result.complete
    assert {finding.rule for finding in result.findings} == {rule}
    for finding in result.findings:
        shown = rb.replay(program, finding.schedule).findings
        assert finding.signature in {one.signature for one in shown}
    assert rule in {finding.rule for finding in rb.explore(program, executions=500).findings}


@pytest.mark.parametrize("name", BUGGY)
def test_a_bug_is_met_in_stress(name: str) -> None:
    program, rule = BUGGY[name]
    # Until it is met: the rarest takes about 10,000 collisions, for which a busy machine needs a while.
    assert [f.rule for f in rb.stress(program, seconds=500, stop_on_first=True).findings][:1] == [rule]


@pytest.mark.parametrize("name", HEALTHY)
def test_its_twin_is_proved_and_stays_clean(name: str) -> None:
    result = rb.verify(HEALTHY[name])
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)
    assert rb.explore(HEALTHY[name], executions=200).verdict is rb.Verdict.CLEAN
    assert rb.stress(HEALTHY[name], seconds=0.2).verdict is rb.Verdict.CLEAN


def test_a_timeout_is_a_step_of_its_own() -> None:
    program, _ = BUGGY["a notification is wasted on one who is late"]
    [finding] = rb.verify(program).findings
    assert ("late", "timeout", "filled") in finding.schedule


class Two(rb.State):
    got = rb.shared(0, atomic=True)

    def __init__(self) -> None:
        self.a, self.b = rb.Lock("a"), rb.Lock("b")
        self.event = rb.Event("event")


def program(*functions: Any, check: Any = None) -> rb.Program:
    return rb.Program("two", Two, {f"t{i}": one for i, one in enumerate(functions)}, check=check)


def _a_then_b(s: Two) -> None:
    with s.a, s.b:
        pass


def _b_then_a_or_not(s: Two) -> None:
    with s.b:
        if s.a.acquire(timeout=5):
            s.a.release()


def test_locks_taken_in_both_orders_do_not_hang_where_one_gives_up_in_time() -> None:
    both = program(_a_then_b, _b_then_a_or_not)
    result = rb.verify(both)
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)
    assert rb.stress(both, seconds=0.3).verdict is rb.Verdict.CLEAN


def test_a_free_lock_is_taken_whatever_the_timeout() -> None:
    def takes(s: Two) -> None:
        rb.check_that(s.a.acquire(timeout=1e-9), "free.refused", "nobody else wants it")
        s.a.release()

    for timeout in (1e-9, 0):
        assert rb.verify(program(takes)).verdict is rb.Verdict.CLEAN, timeout


def test_one_who_times_out_keeps_no_ring_closed() -> None:
    """Who waits with a timeout is no part of a deadlock, also if it waits for good after that."""

    def gives_up_first(s: Two) -> None:
        with s.b:
            if not s.a.acquire(timeout=1):
                s.a.acquire()
            s.a.release()

    both = program(_a_then_b, gives_up_first)
    for result in (rb.verify(both), rb.stress(both, seconds=60, stop_on_first=True)):
        assert [f.rule for f in result.findings if f.rule.startswith("deadlock")] == ["deadlock.cycle"]


def test_timeouts_come_in_any_order_whatever_their_lengths() -> None:
    order: list[str] = []

    def waits(name: str, seconds: float) -> Any:
        def run(s: Two) -> None:
            s.event.wait(seconds)
            order.append(name)

        return run

    def check(s: Two, results: Any) -> Any:
        said, order[:] = "".join(order), []
        return rb.broken(f"order.{said}", "as it came")

    result = rb.verify(program(waits("a", 1), waits("b", 1_000), check=check))
    # Nobody sets it, so all that conflicts is what each appends to the list, unseen: both are one class.
    assert {f.rule for f in result.findings} <= {"order.ab", "order.ba"}
    assert result.findings


# -- the clock


def test_outside_a_run_the_clock_is_the_real_one(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(clock.real, "sleep", slept.append)
    monkeypatch.setattr(clock.real, "monotonic", lambda: 7.0)
    monkeypatch.setattr(clock.real, "time", lambda: 9.0)
    clock.sleep(3)
    assert (slept, clock.monotonic(), clock.time()) == ([3], 7.0, 9.0)
    with pytest.raises(ValueError, match="non-negative"):
        clock.sleep(-1)


def _sleeps(s: Two) -> tuple[float, float]:
    before = clock.monotonic()
    clock.sleep(5)
    return before, clock.monotonic()


def _times_out(s: Two) -> tuple[float, float]:
    before = clock.monotonic()
    came = s.event.wait(timeout=7)
    rb.check_that(not came, "event.set", "nobody sets it")
    return before, clock.monotonic()


def _as_long(s: Two, results: dict[str, tuple[float, float]]) -> Any:
    for name, least in (("t0", 5), ("t1", 7)):
        before, after = results[name]
        # Unless it asked before the other's time had gone by, it sees its own alone.
        if not least <= after - before <= 3_600:
            return rb.broken("clock.wrong", f"{name}: {before} to {after}")
    return None


def test_nobody_sees_less_time_go_by_than_it_has_waited() -> None:
    both = program(_sleeps, _times_out, check=_as_long)
    result = rb.verify(both)
    assert (result.verdict, result.complete) == (rb.Verdict.CLEAN, True)
    assert rb.stress(both, seconds=0.3).verdict is rb.Verdict.CLEAN


def test_who_asks_for_the_time_sees_each_moment_that_others_make_of_it() -> None:
    def asks(s: Two) -> float:
        return clock.monotonic()

    def check(s: Two, results: dict[str, Any]) -> Any:
        return rb.broken(f"seen.{results['t0']:.0f}", "as it came")

    def sleeps(s: Two) -> None:
        clock.sleep(1)
        clock.sleep(2)

    result = rb.verify(program(asks, sleeps, check=check))
    assert {f.rule for f in result.findings} == {"seen.0", "seen.1", "seen.3"}


def test_sleeps_of_which_nobody_asks_the_time_commute() -> None:
    def sleeps(s: Two) -> None:
        clock.sleep(1)

    assert rb.verify(program(sleeps, sleeps, sleeps)).executions == 1


def test_a_wait_for_a_later_time_that_nothing_brings_is_not_called_a_hang() -> None:
    def waits(s: Two) -> None:
        rb.wait_until(lambda: clock.monotonic() > 1)

    result = rb.verify(program(waits))
    assert (result.verdict, result.findings) == (rb.Verdict.UNKNOWN, ())


def test_a_wait_for_a_time_that_comes_ends() -> None:
    def waits(s: Two) -> None:
        rb.wait_until(lambda: clock.monotonic() >= 1)

    assert rb.verify(program(waits, lambda s: clock.sleep(1))).verdict is rb.Verdict.CLEAN


# -- what else a thread may ask, and ask in vain


def test_a_loop_around_a_timeout_is_no_proof_and_no_alarm() -> None:
    def again(s: Two) -> None:
        while not s.event.wait(timeout=1):
            pass

    looped = program(again, lambda s: s.event.set())
    result = rb.verify(looped, max_executions=50)
    assert (result.complete, result.findings) == (False, ())
    explored = rb.explore(looped, executions=50)
    assert (explored.verdict, explored.findings) == (rb.Verdict.CLEAN, ())
    assert rb.stress(looped, seconds=0.2).findings == ()


def test_the_action_of_a_barrier_waits_for_nobody_at_that_barrier() -> None:
    class Meeting(rb.State):
        def __init__(self) -> None:
            self.barrier: Any = rb.Barrier(2, lambda: self.barrier.wait(), cls="meeting")

    meeting = rb.Program("meeting", Meeting, dict.fromkeys("ab", lambda s: s.barrier.wait()))
    for result in (rb.verify(meeting), rb.stress(meeting, seconds=60, stop_on_first=True)):
        assert {f.rule for f in result.findings} == {"deadlock.self"}


def test_what_an_action_raises_breaks_the_barrier() -> None:
    class Meeting(rb.State):
        def __init__(self) -> None:
            self.barrier = rb.Barrier(2, self.fails, cls="meeting")

        def fails(self) -> None:
            raise ZeroDivisionError

    def meets(s: Meeting) -> str:
        try:
            s.barrier.wait()
        except ZeroDivisionError:
            return "acted"
        except rb.BrokenBarrierError:
            return "broken"
        return "passed"

    def check(s: Meeting, results: dict[str, str]) -> Any:
        right = sorted(results.values()) == ["acted", "broken"] and s.barrier.broken
        return None if right else rb.broken("meeting.wrong", str(results))

    meeting = rb.Program("meeting", Meeting, {"a": meets, "b": meets}, check=check)
    assert rb.verify(meeting).verdict is rb.Verdict.CLEAN
    assert rb.stress(meeting, seconds=0.2).verdict is rb.Verdict.CLEAN


def test_setup_and_check_wait_for_nobody() -> None:
    class Ready(rb.State):
        def __init__(self) -> None:
            self.event, self.lock = rb.Event(), rb.Lock("lock")
            self.lock.acquire()
            assert not self.lock.acquire(timeout=1)
            self.lock.release()
            assert not self.event.wait(timeout=1)
            self.event.set()
            assert self.event.wait()

    def check(s: Ready, results: Any) -> Any:
        return None if s.event.is_set() else rb.broken("event.lost", "setup has set it")

    ready = rb.Program("ready", Ready, {"a": lambda s: s.event.wait()}, check=check)
    assert rb.verify(ready).verdict is rb.Verdict.CLEAN
    assert rb.stress(ready, seconds=0.2).verdict is rb.Verdict.CLEAN


def test_an_atomic_value_refuses_what_would_change_in_place_unseen() -> None:
    for value in ([], {}, (1, [2]), bytearray()):
        with pytest.raises(rb.UsageError, match="can change in place"):
            rb.Atomic(value)
    state = Two()
    atomic: Any = rb.Atomic((1, "a"))
    assert atomic.exchange(state) == (1, "a")
    assert atomic.compare_exchange(state, None)
