"""Programs without a fault: no mode may find one; and their faulty twins, which are found."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

import racebench as rb
from racebench.detect import detect
from racebench.detect.lock_order import rings
from racebench.engine.control.scheduler import Scheduler, Task
from racebench.engine.delays import only_controlled
from racebench.engine.free.stress import Stress
from racebench.engine.search.glance import glance
from racebench.engine.search.loop import Plan
from racebench.trace import object_name

from .. import correct_fences, correct_handovers, correct_locks
from ..correct_programs import PROGRAMS, SPINS, Shop, Thread, add, down, then, under, up

STRATEGIES = {"random", "pct", "pos", "surw"}
_BATCHES = 3


@pytest.fixture(autouse=True)
def nobody_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def both_orders(name: str) -> tuple[rb.Program, rb.Program]:
    """The program with its threads named in either order."""
    program = PROGRAMS[name]
    return program, replace(program, threads=dict(reversed(program.threads.items())))


def rules(result: rb.Result) -> set[str]:
    return {finding.rule for finding in result.findings}


def test_there_are_enough_of_them_and_each_says_why_it_is_correct() -> None:
    assert len(PROGRAMS) >= 60
    for module in (correct_fences, correct_handovers, correct_locks):
        for name in PROGRAMS:
            assert getattr(module, name, None) is None or getattr(module, name).__doc__


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - SPINS))
def test_every_schedule_is_clean(name: str) -> None:
    for program in both_orders(name):
        result = rb.verify(program)
        assert not result.findings
        assert result.complete


@pytest.mark.parametrize("name", sorted(set(PROGRAMS) - SPINS))
def test_exploring_finds_nothing(name: str) -> None:
    """By any strategy: the portfolio takes them in turn."""
    program, _ = both_orders(name)
    result = rb.explore(program, executions=4 * len(STRATEGIES))
    assert result.verdict is rb.Verdict.CLEAN
    assert set(result.stats["strategies"]) == STRATEGIES


@pytest.mark.parametrize("name", sorted(n for n, p in PROGRAMS.items() if not only_controlled(p)))
def test_collisions_find_nothing(name: str) -> None:
    program = PROGRAMS[name]
    stress = Stress(program, seed=1, rings=rings)
    batches = iter(range(_BATCHES))
    one_batch = stress._one_batch
    # A number of batches, whatever the clock says.
    stress._one_batch = lambda: one_batch() and next(batches, None) is not None  # type: ignore[method-assign]
    result = stress.go(60.0, False)
    assert result.executions
    # What the free run predicts of orders counts only if a run under control says so too: see ``modes``.
    assert rules(result) <= {"lock_order.inversion"}
    for finding in result.findings:
        assert finding.signature not in glance(program, Plan(100, detect=detect), finding.signature).seen


@pytest.mark.parametrize("name", sorted(SPINS))
@pytest.mark.parametrize("strategy", ["random", "pct", "surw"])
def test_a_plain_spin_loop_is_no_livelock_when_explored(name: str, strategy: str) -> None:
    result = rb.explore(PROGRAMS[name], strategy, executions=4)
    assert not result.findings
    assert (result.verdict is rb.Verdict.UNKNOWN) is bool(result.stats.get("unseen"))


@pytest.mark.parametrize("name", sorted(SPINS))
def test_a_plain_spin_loop_is_not_proved(name: str) -> None:
    results = [rb.verify(program) for program in both_orders(name)]
    assert not [result.findings for result in results if result.findings]
    assert {(result.verdict, result.complete) for result in results} == {(rb.Verdict.UNKNOWN, False)}
    [sentence] = results[0].stats["unseen"]
    assert " spins on " in sentence
    assert "correct_handovers.py:" in sentence
    tries = name in ("spin_on_a_trylock", "spin_while_locked")
    remedy = "acquire(), which waits" if tries else "racebench.wait_until"
    assert sentence.endswith(f"every schedule cannot be run; use {remedy}")


@pytest.mark.parametrize("name", sorted(correct_fences.FAULTY))
def test_a_forgotten_fence_is_a_data_race(name: str) -> None:
    threads = {f"t{i}": f for i, f in enumerate(correct_fences.FAULTY[name])}
    result = rb.verify(rb.Program(name, correct_fences.Late, threads))
    assert "data_race" in rules(result)


AB, BA = under("a", "b"), under("b", "a")
UNORDERED: dict[str, tuple[Thread, Thread]] = {
    "nothing": (AB, BA),
    "the token comes first": (then(up(), AB), then(down(), BA)),
    "two may be inside": (then(down("two"), AB, up("two")), then(down("two"), BA, up("two"))),
    "told first": (then(correct_handovers.tell, AB), then(correct_handovers.hear, BA)),
    "set first": (then(correct_handovers.set_flag, AB), then(correct_handovers.see_flag, BA)),
}


@pytest.mark.parametrize("name", sorted(UNORDERED))
def test_two_orders_that_may_meet_are_found(name: str) -> None:
    a, b = UNORDERED[name]
    program = rb.Program("orders", Shop, {"a": a, "b": b})
    assert rules(rb.verify(program)) == {"deadlock.cycle", "lock_order.inversion"}


def test_the_other_order_on_a_published_node_is_found() -> None:
    def a(s: Shop) -> None:
        node = correct_locks.Node()
        s.link = node
        with node.lock, s.a:
            node.value = s.n

    def b(s: Shop) -> None:
        with s.a:
            node = s.link
            if node is not None:
                with node.lock:
                    node.value += 1

    result = rb.verify(rb.Program("published", Shop, {"a": a, "b": b}))
    assert rules(result) == {"deadlock.cycle", "lock_order.inversion"}


def test_instances_in_both_orders_are_found() -> None:
    threads = {"a": under("one", "other_one"), "b": under("other_one", "one")}
    result = rb.verify(rb.Program("instances", correct_locks.Two, threads))
    assert rules(result) == {"deadlock.cycle", "lock_order.inversion"}


# -- daemons


def waits_alone(s: Shop) -> None:
    s.sem.acquire()


@pytest.mark.parametrize("mode", ["verify", "stress"])
@pytest.mark.parametrize(
    ("threads", "rule"),
    [
        ({"main": down("back"), "server": waits_alone}, "deadlock.wait"),
        ({"main": under("a"), "server": under("a", do=waits_alone)}, "deadlock.wait"),
        ({"main": add, "server": under("a", "a")}, "deadlock.self"),
    ],
    ids=["main waits too", "main waits for what the daemon holds", "the daemon hangs itself"],
)
def test_what_no_daemon_excuses(mode: str, threads: dict[str, Thread], rule: str) -> None:
    program = rb.Program("daemon", Shop, threads, daemons={"server"})
    result = rb.verify(program) if mode == "verify" else rb.stress(program, 30, stop_on_first=True)
    assert rules(result) == {rule}


def test_a_handler_on_a_daemon_must_return() -> None:
    program = rb.Program(
        "handler",
        Shop,
        {"main": add, "server": waits_alone},
        daemons={"server"},
        interrupts={"irq": ("server", down("back"))},
    )
    assert rules(rb.verify(program)) == {"deadlock.wait"}


def test_check_sees_what_the_daemon_left_and_no_result_of_it() -> None:
    seen = []

    def server(s: Shop) -> str:
        try:
            s.sem.acquire()
        finally:
            s.n = 99
        return "done"

    def check(s: Shop, results: dict[str, object]) -> None:
        seen.append((s.n, results))

    threads = {"main": lambda s: s.m, "server": server}
    result = rb.verify(rb.Program("check", Shop, threads, check, daemons={"server"}))
    assert result.complete
    assert seen == [(0, {"main": 0, "server": None})] * len(seen)
    assert seen


def test_a_check_that_fails_beside_a_daemon_is_found_and_replayed() -> None:
    program = rb.Program(
        "broken",
        Shop,
        {"main": add, "server": waits_alone},
        lambda s, results: rb.broken("my.rule", "as told") if s.n else None,
        daemons={"server"},
    )
    [finding] = rb.verify(program).findings
    assert finding.evidence["replays"] == [10, 10]
    assert [f.rule for f in rb.replay(program, finding.schedule).findings] == ["my.rule"]


@pytest.mark.parametrize("daemons", ["server", 7, {"nobody"}, [3]])
def test_daemons_that_are_none(daemons: object) -> None:
    with pytest.raises(rb.ProgramError, match="daemon"):
        rb.Program("x", Shop, {"server": add}, daemons=daemons)  # type: ignore[arg-type]


# -- loops without end


def test_a_loop_that_no_turn_ends_is_a_livelock() -> None:
    program = rb.Program("never", Shop, {"a": correct_handovers.spin_flag, "b": add})
    for result in (rb.verify(program), rb.explore(program, executions=1)):
        [finding] = result.findings
        assert finding.rule == "stall.livelock"
        assert not result.stats["unseen"]
    assert rules(rb.replay(program, finding.schedule)) == {"stall.livelock"}


def test_polite_neighbours_are_a_livelock() -> None:
    """Each takes one lock, tries the other and gives way: in turns for ever."""

    def polite(mine: str, theirs: str) -> Thread:
        def run(s: Shop) -> None:
            while True:
                with getattr(s, mine):
                    if getattr(s, theirs).acquire(blocking=False):
                        getattr(s, theirs).release()
                        return

        return run

    program = rb.Program("polite", Shop, {"a": polite("a", "b"), "b": polite("b", "a")})
    with Scheduler(program, max_steps=200) as scheduler:
        outcome = scheduler.run(_AndOn())
    assert [fault.rule for fault in outcome.faults] == ["stall.livelock"]
    assert not outcome.unfair


class _AndOn:
    """The threads take turns from the first step on."""

    def begin(self) -> None:
        self._turn = 0

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        self._turn += 1
        return enabled[self._turn % len(enabled)]


def test_what_breaks_after_an_unfair_start_is_found_and_replayed() -> None:
    def spins(s: Shop) -> None:
        while not s.flag:
            pass
        s.n += 1

    def check(s: Shop, results: dict[str, object]) -> rb.Broken:
        return rb.broken("my.rule", "as told")

    program = rb.Program("spin", Shop, {"a": spins, "b": correct_handovers.set_flag}, check)
    with Scheduler(program, max_steps=50) as scheduler:
        outcome = scheduler.run(_First())
        assert outcome.unfair
        assert outcome.broken
        schedule = tuple((task.name, op.kind.value, object_name(op, obj)) for task, op, obj in outcome.log)
        assert len(schedule) > 50
    assert rules(rb.replay(program, schedule)) == {"my.rule"}


class _First:
    def begin(self) -> None:
        """It has nothing to begin."""

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        return enabled[0]
