"""What was found stays, however the search and the work on its findings end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.engine.explain import conclusion as concluding
from racebench.engine.explain.conclusion import Ending
from racebench.engine.search.loop import Plan
from racebench.engine.search.proof import Proof
from racebench.engine.tally import Seen
from racebench.findings import Alarm

Run = Callable[[rb.Program], rb.Result]


class Counter(rb.State):
    value = rb.shared(0)

    def __init__(self) -> None:
        self.a, self.b = rb.Lock("a"), rb.Lock("b")


def forwards(s: Any) -> None:
    with s.a, s.b:
        s.value += 1


def backwards(s: Any) -> None:
    with s.b, s.a:
        s.value += 1


class Setup:
    """A setup whose calls from the ``bad``-th on raise ``error``, and after ``most`` calls no more."""

    def __init__(self, bad: int, error: BaseException, most: int = 1 << 30) -> None:
        self.bad, self.error, self.left, self.calls = bad, error, most, 0

    def __call__(self) -> Counter:
        self.calls += 1
        if self.calls >= self.bad and self.left:
            self.left -= 1
            raise self.error
        return Counter()


def program(setup: Callable[[], Any]) -> rb.Program:
    return rb.Program("deadlocks", setup, {"t0": forwards, "t1": backwards})


def explored(p: rb.Program) -> rb.Result:
    return rb.explore(p, executions=50)


def explored_to_the_first(p: rb.Program) -> rb.Result:
    return rb.explore(p, executions=50, stop_on_first=True)


def explored_once(p: rb.Program) -> rb.Result:
    """Predicts the deadlock, which is then steered to."""
    result = rb.explore(p, executions=1, seed=1)
    assert [f.rule for f in result.findings] == ["lock_order.inversion"]
    return result


RUNS = {"verify": rb.verify, "explore": explored, "first": explored_to_the_first, "once": explored_once}


def failing(monkeypatch: pytest.MonkeyPatch, later: int, error: BaseException, most: int = 1 << 30) -> Setup:
    """A setup that fails in the ``later``-th call after the search."""
    setup, init = Setup(1 << 30, error, most), Ending.__init__

    def begun(self: Ending, interrupted: bool, until: float) -> None:
        setup.bad = setup.calls + later
        init(self, interrupted, until)

    monkeypatch.setattr(Ending, "__init__", begun)
    return setup


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("later", [1, 2, 3, 12, 20])
def test_an_interrupt_of_the_work_on_findings_costs_none(
    run: Run, later: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = run(program(Counter))
    before = threading.active_count()
    setup = failing(monkeypatch, later, KeyboardInterrupt(), most=1)
    result = run(program(setup))
    assert {f.signature for f in result.findings} == {f.signature for f in usual.findings}
    assert all(f.schedule for f in result.findings)
    assert result.interrupted == (setup.left == 0)
    assert result.executions == usual.executions
    assert threading.active_count() == before


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_after_an_interrupt_nothing_more_is_tried(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = failing(monkeypatch, 1, KeyboardInterrupt())
    assert run(program(setup)).interrupted
    assert setup.calls == setup.bad


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_setup_that_fails_in_the_work_on_findings_costs_none(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = run(program(Counter))
    result = run(program(failing(monkeypatch, 1, OSError("too many open files"))))
    assert {f.signature for f in result.findings} == {f.signature for f in usual.findings}
    assert not result.interrupted


def test_an_interrupt_of_a_proof_s_second_look_leaves_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    setup, over = Setup(1 << 30, KeyboardInterrupt(), 1), Proof.over

    def interrupted(self: Proof, found: bool) -> None:
        setup.bad = setup.calls + 1
        over(self, found)

    monkeypatch.setattr(Proof, "over", interrupted)
    result = rb.verify(rb.Program("in order", setup, {"t0": forwards, "t1": forwards}))
    assert result.executions == 2
    assert (result.interrupted, result.complete, result.verdict) == (True, False, rb.Verdict.UNKNOWN)


def stressed(p: rb.Program) -> rb.Result:
    return rb.stress(p, seconds=30.0)


@pytest.mark.parametrize(
    ("run", "bad"), [(rb.verify, 4), (explored, 40), (stressed, 20_000)], ids=["verify", "explore", "stress"]
)
def test_a_setup_that_fails_after_all_says_what_was_found_before(run: Run, bad: int) -> None:
    def falls(s: Any) -> None:
        forwards(s)
        rb.check_that(False, "never.falls", "it fell")

    setup = Setup(bad, OSError("too many open files"))
    with pytest.raises(rb.ProgramError, match="setup raised OSError: too many open files") as caught:
        run(rb.Program("falls", setup, {"t0": forwards, "t1": falls, "t2": forwards}))
    assert [f.rule for f in caught.value.findings] == ["never.falls"]


def test_without_time_for_it_each_finding_still_has_its_schedule_and_its_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = rb.verify(program(Counter))
    monkeypatch.setattr(concluding, "SECONDS", 0.0)
    setup = Setup(1 << 30, KeyboardInterrupt())
    result = rb.verify(program(setup), seconds=0.0, max_executions=None)
    assert result.executions == 1
    assert not result.interrupted
    assert result.findings
    for finding in result.findings:
        assert finding.signature in {f.signature for f in usual.findings}
        assert finding.schedule
        assert finding.evidence["steps"]
        assert "passing" not in finding.evidence
    # The search, and for each finding one try to shrink it, one recorded replay and ten more.
    assert setup.calls <= 1 + 12 * len(result.findings) + 1


def test_the_time_is_shared_out_among_the_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []

    class Clock:
        now = 100.0

        def perf_counter(self) -> float:
            return self.now

    clock = Clock()

    def concluded(scheduler: Any, seen: Any, finding: Any, detect: Any, until: float) -> Any:
        given.append(until - clock.now)
        clock.now = until
        return finding

    monkeypatch.setattr(concluding, "perf_counter", clock.perf_counter)
    monkeypatch.setattr(concluding, "concluded", concluded)
    end = Ending(False, 108.0)
    scheduler: Any = None
    seen = [Seen(Alarm("a.b", name, ""), (), 1, "random") for name in "abc"]
    found = end.concluded(scheduler, seen, "verify", Plan())
    assert [f.signature for f in found] == ["a", "b", "c"]
    assert given == [2.0, 2.0, 2.0]
    assert end.until - clock.now == 2.0
