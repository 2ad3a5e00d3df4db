"""Store buffers: what may be seen late, what a fence mends, and agreement with a model of its own."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search.preemption_bound import PreemptionBounded

from ..random_programs import FEW, agreed

STRATEGIES = ("random", "pct", "pos", "surw")


class Memory(rb.State):
    x = rb.shared(0, delayed=True)
    y = rb.shared(0, delayed=True)
    flag = rb.shared(0, atomic=True)

    def __init__(self) -> None:
        self.a = rb.Lock("a")
        self.again = rb.RLock("again")
        self.rw = rb.RWLock("rw")
        self.sem = rb.Semaphore(0, "sem")
        self.cond = rb.Condition(self.a, "cond")


def program(*threads: Any, ends: set[Any] | None = None, **more: Any) -> rb.Program:
    """``ends`` gets each execution's end: x, y and what the threads returned."""

    def check(s: Memory, results: dict[str, Any]) -> None:
        if ends is not None:
            ends.add((s.x, s.y, *results.values()))

    return rb.Program("memory", Memory, {f"t{i}": f for i, f in enumerate(threads)}, check, **more)


def ends_of(*threads: Any, **more: Any) -> set[Any]:
    """Every end, by complete verify."""
    ends: set[Any] = set()
    assert rb.verify(program(*threads, ends=ends, **more)).complete
    return ends


def rules(result: rb.Result) -> set[str]:
    return {finding.rule for finding in result.findings}


# -- message passing: data, then a flag that says it is there


def tells(s: Memory) -> None:
    s.x = 1
    s.flag = 1


def told_fenced(s: Memory) -> None:
    s.x = 1
    rb.smp_wmb()
    s.flag = 1


def told_locked(s: Memory) -> None:
    with s.a:
        s.x = 1
    s.flag = 1


def told_read_locked(s: Memory) -> None:
    with s.rw.read():
        s.x = 1
    s.flag = 1


def told_recursively(s: Memory) -> None:
    with s.again, s.again:
        s.x = 1
    s.flag = 1


def told_by_semaphore(s: Memory) -> None:
    s.x = 1
    s.sem.release()
    s.flag = 1


def believes(s: Memory) -> None:
    if s.flag:
        rb.check_that(s.x == 1, "mp.stale", "the flag is set, x is not")


HEALTHY = {
    "smp_wmb": program(told_fenced, believes),
    "unlock": program(told_locked, believes),
    "read unlock": program(told_read_locked, believes),
    "recursive lock": program(told_recursively, believes),
    "semaphore": program(told_by_semaphore, believes),
}


def test_a_flag_overtakes_the_data_and_every_replay_shows_it() -> None:
    buggy = program(tells, believes)
    result = rb.verify(buggy)
    assert result.complete
    assert rules(result) == {"mp.stale", "data_race"}
    stale = result.findings[0]
    assert stale.schedule == (
        ("t0", "store", "Memory.x"),
        ("t0", "write", "Memory.flag"),
        ("t1", "read", "Memory.flag"),
        ("t1", "read", "Memory.x"),
    )
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
def test_every_strategy_finds_it(strategy: str) -> None:
    assert rules(rb.explore(program(tells, believes), strategy=strategy, executions=200)) == {
        "mp.stale",
        "data_race",
    }
    result = rb.explore(program(told_fenced, believes), strategy=strategy, executions=200)
    assert result.verdict is rb.Verdict.CLEAN


def test_what_leaves_a_buffer_is_told_where_it_was_stored_and_with_which_locks() -> None:
    def stores(s: Memory) -> None:
        with s.a:
            s.x = 1

    def reads(s: Memory) -> None:
        s.x  # noqa: B018

    [finding] = rb.verify(program(stores, reads)).findings
    write, read = sorted(finding.evidence["accesses"], key=lambda access: access["op"], reverse=True)
    assert write["thread"] == "t0's stores to Memory.x"
    assert write["site"].startswith("stores (")
    assert write["held"] == ["a"]
    assert finding.evidence["lock"] == "a, taken by t1 too"
    assert read["thread"] == "t1"
    values = {(s["thread"], s["op"]): (s["old"], s["new"]) for s in finding.evidence["steps"]}
    assert values["t0", "store"] == ("0", "1")
    assert values["t0's stores to Memory.x", "write"] == ("0", "1")


# -- store buffering: each stores, then looks at the other's


def test_both_stores_may_be_late_unless_both_fence() -> None:
    def thread(mine: str, other: str, fence: Callable[[], None]) -> Callable[[Memory], int]:
        def run(s: Memory) -> int:
            setattr(s, mine, 1)
            fence()
            seen: int = getattr(s, other)
            return seen

        return run

    def nothing() -> None: ...

    for one, other, both_late in (
        (nothing, nothing, True),
        (nothing, rb.smp_mb, True),
        (rb.smp_mb, nothing, True),
        (rb.smp_mb, rb.smp_mb, False),
        # Unlike Xen's.
        (rb.smp_wmb, rb.smp_wmb, False),
    ):
        ends = ends_of(thread("x", "y", one), thread("y", "x", other))
        assert ((1, 1, 0, 0) in ends) is both_late
        assert ends >= {(1, 1, 0, 1), (1, 1, 1, 0), (1, 1, 1, 1)}


# -- one field


def test_two_stores_to_one_field_are_seen_in_their_order() -> None:
    def twice(s: Memory) -> None:
        s.x = 1
        s.x = 2

    def looks(s: Memory) -> tuple[int, int]:
        return s.x, s.x

    seen = {end[3] for end in ends_of(twice, looks)}
    assert seen == {(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)}


def test_stores_to_two_fields_are_seen_in_any_order() -> None:
    def both(s: Memory) -> None:
        s.x = 1
        s.y = 1

    def looks(s: Memory) -> tuple[int, int]:
        return s.y, s.x

    assert {end[3] for end in ends_of(both, looks)} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_two_objects_of_a_class_have_buffers_of_their_own() -> None:
    class Pair(rb.State):
        def __init__(self) -> None:
            self.one, self.two = Memory(), Memory()

    def both(s: Pair) -> None:
        s.one.x = 1
        s.two.x = 1

    seen = set()

    def looks(s: Pair) -> None:
        seen.add((s.two.x, s.one.x))

    assert rb.verify(rb.Program("pair", Pair, {"t": both, "u": looks})).complete
    assert seen == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_thread_sees_its_own_stores_and_others_do_not_yet() -> None:
    def own(s: Memory) -> tuple[int, ...]:
        s.x = 1
        first = s.x
        s.x = 2
        return first, s.x

    assert {end[2] for end in ends_of(own)} == {(1, 2)}

    def other(s: Memory) -> int:
        s.x = 5
        return s.x

    # What it stored has left the buffer, and the other's came after.
    ends = ends_of(own, other)
    assert {end[2] for end in ends} == {(1, 2), (5, 2), (1, 5)}
    assert (2, 0, (1, 2), 5) in ends and (5, 0, (1, 2), 5) in ends


def test_a_wait_sees_its_own_stores_and_ends_when_anothers_comes_out() -> None:
    def own(s: Memory) -> None:
        s.x = 1
        rb.wait_until(lambda: s.x == 1)

    def waits(s: Memory) -> int:
        rb.wait_until(lambda: s.x == 1)
        return s.x

    def for_ever(s: Memory) -> None:
        rb.wait_until(lambda: s.x == 2)

    assert rules(rb.verify(program(own, waits))) <= {"data_race"}
    assert "deadlock.wait" in rules(rb.verify(program(own, for_ever)))
    assert ends_of(own, waits) == {(1, 0, None, 1)}


def test_check_comes_after_all_that_was_stored() -> None:
    def stores(s: Memory) -> None:
        s.x = 1
        s.y = 2

    assert ends_of(stores, stores) == {(1, 2, None, None)}


def test_waiting_for_a_condition_lets_go_of_the_stores() -> None:
    def waits(s: Memory) -> None:
        with s.cond:
            s.x = 1
            s.cond.wait_for(lambda: s.flag)

    def wakes(s: Memory) -> None:
        with s.cond:
            s.flag = 1
            s.cond.notify()

    def looks(s: Memory) -> None:
        with s.a:
            s.x += 1

    assert rb.verify(program(waits, wakes, looks)).verdict is rb.Verdict.CLEAN


def test_a_lock_released_by_an_exception_is_a_fence_too() -> None:
    def raises(s: Memory) -> None:
        try:
            with s.a:
                s.x = 1
                raise KeyError
        except KeyError:
            s.flag = 1

    assert rb.verify(program(raises, believes)).verdict is rb.Verdict.CLEAN


def test_an_interrupt_and_its_return_are_fences() -> None:
    def thread(s: Memory) -> int:
        s.x = 1
        return s.y

    def handler(s: Memory) -> None:
        rb.check_that(s.x == 1 or not s.flag, "irq.stale", "stored, not seen in the handler")
        s.y = 2

    def late(s: Memory) -> int:
        s.x = 1
        s.flag = 1
        return s.y

    for run in (thread, late):
        made = program(run, interrupts={"irq": ("t0", handler)})
        assert rb.verify(made).verdict is rb.Verdict.CLEAN
        assert ends_of(run, interrupts={"irq": ("t0", handler)}) == {(1, 2, 0), (1, 2, 2)}


def test_a_deadlock_is_found_with_stores_on_the_way() -> None:
    def ab(s: Memory) -> None:
        with s.a:
            s.x = 1
            with s.again:
                s.y = 1

    def ba(s: Memory) -> None:
        with s.again:
            s.y = 2
            with s.a:
                s.x = 2

    assert rules(rb.verify(program(ab, ba))) == {"deadlock.cycle", "lock_order.inversion"}
    assert rb.verify(program(ab, ab)).verdict is rb.Verdict.CLEAN


def test_a_lock_is_told_where_the_program_took_it() -> None:
    """Also by a class of the user's, whose locks fence as ours do."""

    class Spin(rb.Lock):
        pass

    class Own(Memory):
        def __init__(self) -> None:
            super().__init__()
            self.spin = Spin("spin")

    def leaks_by_name(s: Own) -> None:
        s.spin.acquire()

    def leaks_by_trying(s: Own) -> None:
        s.again.acquire(blocking=False)

    threads = {"t": leaks_by_name, "u": leaks_by_trying}
    messages = [f.summary for f in rb.verify(rb.Program("own", Own, threads)).findings]
    assert any("spin (taken in leaks_by_name (" in message for message in messages)
    assert any("again (taken in leaks_by_trying (" in message for message in messages)


# -- against a model of its own

Statement = tuple[Any, ...]


class Three(rb.State):
    x = rb.shared(0, delayed=True)
    y = rb.shared(0, delayed=True)
    z = rb.shared(0)

    def __init__(self) -> None:
        self.a = rb.Lock("a")


def drawn(seed: int) -> list[list[Statement]]:
    """Two or three threads of reads, writes, copies, fences and locked blocks."""
    rng = random.Random(seed)
    threads: list[list[Statement]] = []
    n = rng.choice((2, 2, 3))
    for _ in range(n):
        block: list[Statement] = []
        for _ in range(rng.randint(2, 4 if n == 2 else 2)):
            kind = rng.choice(("read", "read", "write", "write", "write", "copy", "fence", "lock"))
            field, value = rng.choice("xxyyz"), rng.randint(1, 3)
            if kind == "lock":
                block += [("take",), (rng.choice(("read", "write")), field, value), ("give",)]
            elif kind == "copy":
                block.append((kind, field, rng.choice("xyz")))
            else:
                block.append((kind, field, value))
        threads.append(block)
    return threads


def built(threads: list[list[Statement]], ends: set[Any]) -> rb.Program:
    def thread(block: list[Statement]) -> Callable[[Three], tuple[int, ...]]:
        def run(s: Three) -> tuple[int, ...]:
            seen: list[int] = []
            for kind, *rest in block:
                if kind == "read":
                    seen.append(getattr(s, rest[0]))
                elif kind == "write":
                    setattr(s, rest[0], rest[1])
                elif kind == "copy":
                    setattr(s, rest[0], getattr(s, rest[1]) + 1)
                elif kind == "fence":
                    rb.smp_mb()
                else:
                    s.a.acquire() if kind == "take" else s.a.release()
            return tuple(seen)

        return run

    def check(s: Three, results: dict[str, Any]) -> None:
        ends.add((s.x, s.y, s.z, *results.values()))

    return rb.Program("drawn", Three, {f"t{i}": thread(b) for i, b in enumerate(threads)}, check)


def modelled(threads: list[list[Statement]]) -> set[Any]:
    """The ends by the definition: states (place, stores, memory, seen, owner), all that can follow."""
    n = len(threads)
    # A copy is a read and a write: two moves.
    code = [
        [part for s in block for part in ((("load", s[2]), ("save", s[1])) if s[0] == "copy" else (s,))]
        for block in threads
    ]
    start = ((0,) * n, ((),) * n, (0, 0, 0), ((),) * n, (0,) * n, -1)
    ends, done, todo = set(), {start}, [start]
    while todo:
        places, stores, memory, seen, carried, owner = todo.pop()
        following = []
        for i in range(n):
            mine = stores[i]
            for field in {f for f, _ in mine}:
                at = next(k for k, (f, _) in enumerate(mine) if f == field)
                drained = _with(stores, i, mine[:at] + mine[at + 1 :])
                written = _with(memory, "xyz".index(field), mine[at][1])
                following.append((places, drained, written, seen, carried, owner))
            if places[i] == len(code[i]):
                continue
            kind, *rest = code[i][places[i]]
            there = _with(places, i, places[i] + 1)
            if kind in ("read", "load"):
                own = [v for f, v in mine if f == rest[0]]
                value = own[-1] if own else memory["xyz".index(rest[0])]
                if kind == "read":
                    following.append(
                        (there, stores, memory, _with(seen, i, (*seen[i], value)), carried, owner)
                    )
                else:
                    following.append((there, stores, memory, seen, _with(carried, i, value + 1), owner))
            elif kind in ("write", "save"):
                field, value = rest[0], carried[i] if kind == "save" else rest[1]
                if field == "z":
                    following.append((there, stores, _with(memory, 2, value), seen, carried, owner))
                else:
                    kept = _with(stores, i, (*mine, (field, value)))
                    following.append((there, kept, memory, seen, carried, owner))
            elif not mine and (kind != "take" or owner < 0):
                holder = i if kind == "take" else -1 if kind == "give" else owner
                following.append((there, stores, memory, seen, carried, holder))
        if not following:
            ends.add((*memory, *seen))
        for state in following:
            if state not in done:
                done.add(state)
                todo.append(state)
    return ends


def _with(row: tuple[Any, ...], at: int, value: Any) -> tuple[Any, ...]:
    return (*row[:at], value, *row[at + 1 :])


@pytest.mark.parametrize("block", range(4))
def test_verify_reaches_the_ends_that_the_model_has(block: int) -> None:
    """4 x 20 random programs, of which some have ends that no order of whole steps has."""
    weaker = 0
    for seed in range(block * 20, block * 20 + 20):
        threads = drawn(seed)
        ends: set[Any] = set()
        result = rb.verify(built(threads, ends))
        assert result.complete, seed
        expected = modelled(threads)
        assert ends == expected, seed
        strong = [[part for s in t for part in (s, ("fence", "", 0))] for t in threads]
        weaker += modelled(strong) < expected
    assert weaker


# -- against brute force over the engine's own steps


def interrupted(seed: int, ends: set[Any]) -> rb.Program:
    """A drawn program of two threads, one of them interrupted by what a third would do."""
    rng = random.Random(seed)
    threads = [block[:3] for block in drawn(seed)[:2]]
    handler = [("write", rng.choice("xy"), 7), ("read", rng.choice("xyz"), 0)][: rng.choice((1, 2))]
    for block in threads:
        if ("take",) in block and ("give",) not in block:
            block.append(("give",))
    seen: list[Any] = []
    whole = built([*threads, handler], set())
    third = whole.threads["t2"]

    def kept(s: Three) -> None:
        seen.append(third(s))

    def setup() -> Three:
        seen.clear()
        return Three()

    def check(s: Three, results: dict[str, Any]) -> None:
        ends.add((s.x, s.y, s.z, *results.values(), *seen))

    own = {name: f for name, f in whole.threads.items() if name != "t2"}
    return rb.Program("interrupted", setup, own, check, interrupts={"irq": ("t0", kept)})


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize("most", [FEW, pytest.param(1_500, marks=pytest.mark.soak)])
def test_verify_agrees_with_brute_force(most: int) -> None:
    """The same ends and rules, and one execution a class."""
    assert agreed("delayed", lambda seed, ends: built(drawn(seed), ends), range(60), most, optimal=True) > 20


@pytest.mark.usefixtures("as_found")
@pytest.mark.parametrize("most", [FEW, pytest.param(1_500, marks=pytest.mark.soak)])
def test_verify_agrees_with_brute_force_also_with_interrupts(most: int) -> None:
    assert agreed("delayed interrupted", interrupted, range(60), most) > 5


# -- what is refused, and what costs nothing


@pytest.mark.parametrize("mode", [rb.verify, lambda p: rb.stress(p, seconds=0.1)], ids=["verify", "stress"])
def test_objects_that_threads_make_have_no_delayed_fields(mode: Any) -> None:
    class Plain(rb.State):
        pass

    def makes(s: Plain) -> None:
        Memory()

    [finding] = mode(rb.Program("late", Plain, {"t": makes})).findings
    assert finding.rule == "program.error"
    assert "Memory has delayed fields" in finding.summary


def test_outside_a_run_nothing_is_delayed() -> None:
    s = Memory()
    s.x = 1
    rb.smp_wmb()
    rb.smp_mb()
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(s.x))
    thread.start()
    thread.join()
    assert seen == [1]


def test_a_program_without_delayed_fields_has_no_buffers_and_makes_no_step_for_a_fence() -> None:
    class Plain(rb.State):
        n = rb.shared(0)

    def writes(s: Plain) -> None:
        s.n = 1
        rb.smp_wmb()

    with Scheduler(rb.Program("plain", Plain, {"t": writes})) as scheduler:
        assert scheduler.buffers is None
        assert [task.name for task in scheduler.tasks] == ["t"]
    assert rb.replay(rb.Program("plain", Plain, {"t": writes}), (("t", "write", "Plain.n"),)).stats["steps"]


def test_a_fence_is_a_step_only_after_a_store() -> None:
    def fences(s: Memory) -> None:
        rb.smp_mb()
        s.flag = 1
        rb.smp_mb()

    def stores(s: Memory) -> None:
        s.x = 1
        rb.smp_mb()
        rb.smp_mb()

    def steps(thread: Any) -> list[str]:
        with Scheduler(program(thread)) as scheduler:
            search = PreemptionBounded(scheduler, 0)
            outcome = search.execute()
        assert outcome is not None
        return [op.kind.value for _, op, _ in outcome.log]

    assert steps(fences) == ["write"]
    assert steps(stores) == ["store", "write", "fence"]


def test_the_same_seed_gives_the_same_schedules() -> None:
    first, second = (rb.explore(program(tells, believes), executions=200, seed=7) for _ in range(2))
    assert [f.schedule for f in first.findings] == [f.schedule for f in second.findings]
    assert first.stats == second.stats


def test_stress_says_that_it_cannot_run_it() -> None:
    result = rb.stress(program(tells, believes), seconds=0.1)
    assert (result.verdict, result.executions) == (rb.Verdict.UNKNOWN, 0)
    [said] = result.stats["unseen"]
    assert "delayed fields, which only executions under control have" in said
