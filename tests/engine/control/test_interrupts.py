"""Interrupts: what a handler may come between, what keeps it out, and agreement with brute force."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import racebench as rb

from ..random_programs import FEW, agreed, interrupted_program

STRATEGIES = ("random", "pct", "pos", "surw")
SELF = "deadlock.self"
INVERSION = "lock_order.inversion"


class Machine(rb.State):
    n = rb.shared(0)
    flag = rb.shared(False, atomic=True)

    def __init__(self) -> None:
        self.a = rb.Lock("a")
        self.b = rb.Lock("b")
        self.again = rb.RLock("again")
        self.rw = rb.RWLock("rw")
        self.changed = rb.Condition(self.b, "changed")
        self.sem = rb.Semaphore(0, "sem")


def program(
    thread: Any, handler: Any, *others: Any, check: Any = None, more: dict[str, Any] | None = None
) -> rb.Program:
    threads = {"cpu0": thread, **{f"cpu{i}": f for i, f in enumerate(others, 1)}}
    interrupts = {"irq": ("cpu0", handler), **(more or {})}
    return rb.Program("machine", Machine, threads, check, interrupts=interrupts)


def plain(s: Machine) -> None:
    with s.a:
        s.n += 1


def saved(s: Machine) -> None:
    with s.a.irqsave():
        s.n += 1


def unlocked(s: Machine) -> None:
    s.n += 1


def masked(s: Machine) -> None:
    with rb.irqsave():
        s.n += 1


def nested_irq(s: Machine) -> None:
    with s.a.irqsave():
        with s.b.irq():
            pass
        s.n += 1


def nested_irqsave(s: Machine) -> None:
    with s.a.irqsave():
        with s.b.irqsave():
            pass
        s.n += 1


def by_hand(s: Machine) -> None:
    rb.irqs_off()
    with s.a:
        s.n += 1
    rb.irqs_on()


def too_soon(s: Machine) -> None:
    rb.irqs_off()
    s.a.acquire()
    rb.irqs_on()
    s.a.release()


def recursive(s: Machine) -> None:
    with s.again:
        s.n += 1


def reader(s: Machine) -> None:
    with s.rw.read():
        pass


def writer(s: Machine) -> None:
    with s.rw.write():
        pass


def nothing(s: Machine) -> None:
    pass


def two(s: Machine, results: dict[str, Any]) -> rb.Broken | None:
    return None if s.n == 2 else rb.broken("n.lost", f"n is {s.n}")


BUGGY = {
    "lock held with interrupts on": (program(plain, plain), {SELF, INVERSION}),
    "unlock_irq inside irqsave": (program(nested_irq, plain), {SELF, INVERSION}),
    "interrupts on before the release": (program(too_soon, plain), {SELF, INVERSION}),
    "between a read and a write": (program(unlocked, unlocked, check=two), {"n.lost"}),
    "reader under a writer": (program(reader, writer), {SELF, INVERSION}),
    "writer under a reader": (program(writer, reader), {SELF, INVERSION}),
}

HEALTHY = {
    "irqsave": program(saved, plain),
    "irqsave inside irqsave": program(nested_irqsave, plain),
    "interrupts off by hand": program(by_hand, plain),
    "masked read and write": program(masked, unlocked, check=two),
    "recursive lock": program(recursive, recursive),
    "reader under a reader": program(reader, reader),
    "an idle processor": program(nothing, plain),
}


def rules(result: rb.Result) -> set[str]:
    return {finding.rule for finding in result.findings}


@pytest.mark.parametrize("name", BUGGY)
def test_verify_finds_the_bug_and_every_replay_shows_it(name: str) -> None:
    buggy, expected = BUGGY[name]
    result = rb.verify(buggy)
    assert result.complete
    assert rules(result) == expected
    for finding in result.findings:
        assert finding.evidence["replays"] == [10, 10]
        replayed = rb.replay(buggy, finding.schedule)
        assert finding.signature in {f.signature for f in replayed.findings}


@pytest.mark.parametrize("name", HEALTHY)
def test_verify_proves_the_healthy_twin(name: str) -> None:
    result = rb.verify(HEALTHY[name])
    assert result.complete
    assert result.verdict is rb.Verdict.CLEAN, result.findings


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", BUGGY)
def test_every_strategy_finds_the_bug(name: str, strategy: str) -> None:
    buggy, expected = BUGGY[name]
    result = rb.explore(buggy, strategy=strategy, executions=200)
    assert rules(result) == expected


def test_one_execution_for_each_place_where_it_can_come() -> None:
    """Before acquire, read, write, release, and after; masked: before, and after."""
    assert rb.verify(program(plain, nothing)).executions == 5
    assert rb.verify(program(saved, nothing)).executions == 2


def test_the_finding_says_that_it_is_in_interrupt_context() -> None:
    [finding] = [f for f in rb.verify(program(plain, saved)).findings if f.rule == SELF]
    assert finding.signature == "deadlock.self: a wanted in interrupt context in saved, held in plain"
    assert finding.summary.startswith("irq interrupts cpu0 and waits for a (saved (")
    assert finding.schedule == (("cpu0", "acquire", "a"), ("irq", "interrupt", "cpu0"))
    handler, thread = finding.evidence["ring"]
    assert (handler["thread"], handler["wants"]["lock"], handler["holder"]) == ("irq", "a", "cpu0")
    assert [lock["lock"] for lock in thread["holds"]] == ["a"]


def test_it_comes_to_a_thread_that_waits_for_a_lock() -> None:
    """Spinning on what cpu1 holds, cpu0 is interrupted, and its handler lets cpu1 go on."""

    def holder(s: Machine) -> None:
        with s.a:
            rb.wait_until(lambda: s.flag)

    def handler(s: Machine) -> None:
        s.flag = True

    assert rb.verify(program(plain, handler, holder)).verdict is rb.Verdict.CLEAN
    assert rules(rb.verify(program(saved, handler, holder))) == {"deadlock.wait"}


def test_it_wakes_the_thread_that_it_interrupts() -> None:
    def spins(s: Machine) -> None:
        rb.wait_until(lambda: s.flag)

    def sets(s: Machine) -> None:
        s.flag = True

    def downs(s: Machine) -> None:
        s.sem.acquire()

    def ups(s: Machine) -> None:
        s.sem.release()

    assert rb.verify(program(spins, sets)).verdict is rb.Verdict.CLEAN
    assert rb.verify(program(downs, ups)).verdict is rb.Verdict.CLEAN


def test_a_ring_through_an_interrupted_thread_is_a_cycle() -> None:
    """cpu0 holds b; its interrupt wants a; cpu1 holds a and wants b."""

    def holds_b(s: Machine) -> None:
        with s.b:
            pass

    def other(s: Machine) -> None:
        with s.a, s.b:
            pass

    findings = {f.rule: f for f in rb.verify(program(holds_b, plain, other)).findings}
    cycle = findings["deadlock.cycle"]
    assert cycle.signature == (
        "deadlock.cycle: a wanted in plain, held in other -> b wanted in other, held in holds_b"
    )
    [inversion] = [f for f in rb.verify(program(holds_b, plain, other)).findings if f.rule == INVERSION]
    assert inversion.evidence["confirmation"]["label"] == "confirmed"


def test_two_orders_on_one_processor_are_no_inversion() -> None:
    def a_then_b(s: Machine) -> None:
        with s.a.irqsave(), s.b.irqsave():
            pass

    def b_then_a(s: Machine) -> None:
        with s.b, s.a:
            pass

    assert rb.verify(program(a_then_b, b_then_a)).verdict is rb.Verdict.CLEAN
    assert rules(rb.verify(program(nothing, b_then_a, a_then_b))) == {INVERSION, "deadlock.cycle"}


def test_handler_and_thread_of_one_processor_do_not_race_but_other_processors_do() -> None:
    assert rules(rb.verify(program(unlocked, unlocked))) == set()
    assert rules(rb.verify(program(nothing, unlocked, unlocked))) == {"data_race"}


def test_interrupts_of_one_processor_do_not_nest() -> None:
    """Both take the same lock, and one switches interrupts on with it held: still no hang."""

    def careless(s: Machine) -> None:
        with s.a:
            rb.irqs_on()
            s.n += 1

    both = program(nothing, careless, more={"other": ("cpu0", plain)}, check=two)
    assert rb.verify(both).executions == 2
    assert rb.verify(both).verdict is rb.Verdict.CLEAN


def test_it_never_comes_to_a_thread_that_leaves_interrupts_off() -> None:
    def for_ever(s: Machine) -> None:
        rb.irqs_off()
        s.n += 1

    def came(s: Machine) -> None:
        s.n = 100

    seen = set()

    def check(s: Machine, results: dict[str, Any]) -> None:
        seen.add(s.n)
        assert results == {"cpu0": None}

    assert rb.verify(program(for_ever, came, check=check)).verdict is rb.Verdict.CLEAN
    assert seen == {1, 101}


def test_a_handler_that_raises_is_a_finding_and_the_thread_goes_on() -> None:
    def raises(s: Machine) -> None:
        raise KeyError("vIRQ")

    result = rb.verify(program(plain, raises))
    assert rules(result) == {"program.error"}
    assert result.findings[0].summary.startswith("irq raised KeyError")


def test_a_handler_may_crash_the_machine_or_leak_a_lock() -> None:
    def crashes(s: Machine) -> None:
        rb.check_that(s.n != 0, "crash.assertion", "nothing yet")

    def leaks(s: Machine) -> None:
        s.a.acquire()

    assert "crash.assertion" in rules(rb.verify(program(plain, crashes)))
    assert "lock.leaked" in rules(rb.verify(program(nothing, leaks)))


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize("family", ["interrupted", "interrupted rich"])
@pytest.mark.parametrize("block", range(4))
@pytest.mark.parametrize("most", [FEW, pytest.param(1_500, marks=pytest.mark.soak)])
def test_verify_agrees_with_brute_force(family: str, block: int, most: int) -> None:
    """4 x 25 x 2 programs with interrupts: the same end states, the same broken rules.

    And of the simple ones, as many executions as brute force finds classes, an
    interrupt's place being part of a class.
    """
    rich = family != "interrupted"

    def make(seed: int, ends: set[Any]) -> rb.Program:
        return interrupted_program(seed, rich, ends)

    assert agreed(family, make, range(block * 25, block * 25 + 25), most, optimal=not rich) > 10


def test_the_same_seed_gives_the_same_schedules() -> None:
    first, second = (rb.explore(program(plain, plain, saved), executions=300, seed=7) for _ in range(2))
    assert [f.schedule for f in first.findings] == [f.schedule for f in second.findings]
    assert first.stats == second.stats


def test_a_prediction_that_met_no_hang_is_steered_to_it() -> None:
    def late(s: Machine) -> None:
        for _ in range(6):
            s.flag = True
        plain(s)

    result = rb.explore(program(late, plain), strategy="surw", executions=1)
    findings = {f.rule: f for f in result.findings}
    if SELF not in findings:
        assert findings[INVERSION].evidence["confirmation"]["why"] == "the hang was steered to"
    assert findings[INVERSION].evidence["confirmation"]["label"] == "confirmed"


def test_a_prediction_that_cannot_come_true_is_proved_unreachable() -> None:
    """The handler takes the lock only once the thread is through with it."""

    def with_flag(s: Machine) -> None:
        plain(s)
        s.flag = True

    def if_flag(s: Machine) -> None:
        if s.flag:
            plain(s)

    [finding] = rb.verify(program(with_flag, if_flag)).findings
    assert finding.rule == INVERSION
    assert finding.evidence["confirmation"]["label"] == "unreachable"


def test_outside_a_run_the_flag_is_the_callers_own() -> None:
    assert rb.irqs_enabled()
    lock = rb.Lock("a")
    with lock.irqsave():
        assert not rb.irqs_enabled()
        with lock_of("b").irq():
            pass
        assert rb.irqs_enabled()
    seen: list[bool] = []
    rb.irqs_off()
    thread = threading.Thread(target=lambda: seen.append(rb.irqs_enabled()))
    thread.start()
    thread.join()
    assert seen == [True]
    assert not rb.irqs_enabled()
    rb.irqs_on()
    with rb.irqsave():
        assert not rb.irqs_enabled()
    assert rb.irqs_enabled()


def lock_of(name: str) -> rb.Lock:
    return rb.Lock(name)


def test_a_thread_without_interrupts_makes_no_step_for_the_flag() -> None:
    alone = rb.Program("alone", Machine, {"a": saved, "b": saved})
    result = rb.verify(alone)
    assert result.executions == 2
    assert result.verdict is rb.Verdict.CLEAN


@pytest.mark.parametrize(
    ("interrupts", "message"),
    [
        ({"irq": ("cpu9", nothing)}, "is for thread 'cpu9'. Choose one of cpu0"),
        ({"cpu0": ("cpu0", nothing)}, "is empty, or a thread's"),
        ({"irq": nothing}, "is not (thread, callable)"),
        ([], "must map names"),
    ],
)
def test_a_wrong_interrupt_is_refused(interrupts: Any, message: str) -> None:
    with pytest.raises(rb.ProgramError) as caught:
        rb.Program("wrong", Machine, {"cpu0": nothing}, interrupts=interrupts)
    assert message in str(caught.value)


def test_stress_says_that_it_cannot_run_it() -> None:
    result = rb.stress(program(plain, plain), seconds=0.1)
    assert (result.verdict, result.executions) == (rb.Verdict.UNKNOWN, 0)
    [said] = result.stats["unseen"]
    assert "interrupts, which only executions under control have" in said
