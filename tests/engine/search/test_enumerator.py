"""The enumerator against ends that were derived by hand, and ``verify`` against the enumerator."""

from __future__ import annotations

from typing import Any

import pytest

from .. import compared
from ..enumerator import Reached, TooLarge, enumerated
from ..generated import KINDS, as_python, candidates, shrunk
from ..sketched import program_of
from ..states import Sketch


def sketch(*blocks: Any, **more: Any) -> Sketch:
    return Sketch(tuple((f"t{i}", block) for i, block in enumerate(blocks)), **more)


def outcomes(reached: Reached) -> set[Any]:
    """Of each end: x, y, and for each thread what it has recorded, or what became of it instead."""
    return {
        (*memory[:2], *(seen if became == "ended" else became for became, seen in threads))
        for memory, threads in reached.ends
    }


# -- the enumerator, against ends derived by hand


def test_two_unlocked_increments_may_lose_one() -> None:
    reached = enumerated(sketch((("inc", "x"),), (("inc", "x"),)))
    assert outcomes(reached) == {(1, 0, (), ()), (2, 0, (), ())}
    assert reached.rules == set()


def test_locked_increments_lose_none() -> None:
    locked = (("lock", "a", (("inc", "x"),)),)
    assert outcomes(enumerated(sketch(locked, locked))) == {(2, 0, (), ())}


def test_two_locks_in_both_orders_may_hang() -> None:
    def nested(one: str, other: str) -> Any:
        return (("lock", one, (("lock", other, ()),)),)

    reached = enumerated(sketch(nested("a", "b"), nested("b", "a")))
    assert outcomes(reached) == {(0, 0, (), ()), (0, 0, "inside", "inside")}
    assert reached.rules == {"deadlock"}
    assert enumerated(sketch(nested("a", "b"), nested("a", "b"))).rules == set()


def test_a_nested_take_of_ones_own_lock_is_free_if_it_is_re_entrant() -> None:
    reader = (("lock", "r", (("lock", "r", ()), ("read", "x"))),)
    writer = (("lock", "r", (("write", "x", 1),)),)
    assert outcomes(enumerated(sketch(reader, writer))) == {(1, 0, (0,), ()), (1, 0, (1,), ())}
    plain = (("lock", "a", (("lock", "a", ()),)),)
    reached = enumerated(sketch(plain))
    assert outcomes(reached) == {(0, 0, "inside")}
    assert reached.rules == {"deadlock"}


def test_a_try_fails_while_another_holds_the_lock_or_the_thread_itself() -> None:
    trying = (("try", "a", (("read", "x"),)),)
    holding = (("lock", "a", (("write", "x", 1),)),)
    expected = {(1, 0, (0,), ()), (1, 0, (1, 0), ()), (1, 0, (1, 1), ())}
    assert outcomes(enumerated(sketch(trying, holding))) == expected
    assert outcomes(enumerated(sketch((("lock", "a", (("try", "a", ()),)),)))) == {(0, 0, (0,))}
    assert outcomes(enumerated(sketch((("lock", "r", (("try", "r", ()),)),)))) == {(0, 0, (1,))}


def test_a_notification_that_comes_too_early_is_lost() -> None:
    waits = (("lock", "a", (("wait", "ca"),)),)
    notifies = (("lock", "a", (("notify", "ca"),)),)
    reached = enumerated(sketch(waits, notifies))
    assert outcomes(reached) == {(0, 0, (1,), ()), (0, 0, "inside", ())}
    assert reached.rules == {"deadlock"}


def test_the_longest_waiting_thread_is_woken_first() -> None:
    def waits(value: int) -> Any:
        # The second to wait is the one that finds x = 1.
        return (("lock", "a", (("read", "x"), ("write", "x", 1), ("wait", "ca"), ("write", "y", value))),)

    notifies = (("until", "ge", "x", 1), ("lock", "a", (("notify", "ca"),)))
    ends = outcomes(enumerated(sketch(waits(1), waits(2), notifies)))
    # Who is woken wrote its own value.  It was the only one asleep, or the first.
    assert (1, 1, (0, 1), "inside", ()) in ends
    assert (1, 2, "inside", (0, 1), ()) in ends
    assert not any(end[2] == (1, 1) or end[3] == (1, 1) for end in ends)


def test_a_wait_gives_up_a_re_entrant_lock_whole_and_takes_it_again_as_deep() -> None:
    waits = (("lock", "r", (("lock", "r", (("until", "ge", "x", 0), ("wait", "cr"))), ("locked", "r"))),)
    notifies = (("lock", "r", (("notify", "cr"),)),)
    assert outcomes(enumerated(sketch(waits, notifies))) == {(0, 0, (1, 1), ()), (0, 0, "inside", ())}


def test_a_misused_release_and_a_wait_without_the_lock_change_nothing() -> None:
    reached = enumerated(sketch((("release", "a"), ("wait", "ca"), ("notify", "ca"), ("locked", "a"))))
    assert outcomes(reached) == {(0, 0, (0, 0))}
    assert reached.rules == {"lock.misuse"}


def test_a_lock_that_is_kept_explains_who_waits_for_it() -> None:
    reached = enumerated(sketch((("take", "a"),), (("lock", "a", ()),)))
    assert outcomes(reached) == {(0, 0, (), ()), (0, 0, (), "inside")}
    assert reached.rules == {"lock.leaked"}


def test_a_crash_ends_the_machine_and_an_error_only_its_thread() -> None:
    writer = (("write", "x", 1),)
    reached = enumerated(sketch(writer, (("crash", "x", 1), ("write", "y", 1))))
    assert outcomes(reached) == {(1, 1, (), ())}
    assert reached.rules == {"crash.x"}
    raising = (("lock", "a", (("raise", "x", 1), ("write", "y", 1))),)
    reached = enumerated(sketch(writer, raising))
    assert outcomes(reached) == {(1, 1, (), ()), (1, 0, (), "raised")}
    assert reached.rules == {"program.error"}


def test_a_branch_and_a_check_on_what_was_recorded_are_no_steps_of_their_own() -> None:
    reads = (("read", "x"), ("ifseen", 1, (("write", "y", 1),)))
    reached = enumerated(sketch(reads, (("write", "x", 1),)))
    assert outcomes(reached) == {(1, 0, (0,), ()), (1, 1, (1,), ())}
    alone = enumerated(sketch((("read", "x"), ("ifseen", 0, ()), ("crashseen", 0))))
    assert (alone.rules, alone.ends, alone.states) == ({"crash.seen"}, set(), 1)
    misused = enumerated(sketch((("wait", "ca"), ("crashseen", 0))))
    assert misused.rules == {"crash.seen", "lock.misuse"}


STORES = (("write", "x", 1),), (("write", "y", 1),)
LOADS = (("read", "y"),), (("read", "x"),)


@pytest.mark.parametrize(
    ("between", "delayed", "neither_seen"),
    [((), ("x", "y"), True), ((("mb",),), ("x", "y"), False), ((), (), False)],
    ids=["delayed", "fenced", "plain"],
)
def test_store_buffering(between: Any, delayed: tuple[str, ...], neither_seen: bool) -> None:
    threads = [store + between + load for store, load in zip(STORES, LOADS, strict=True)]
    expected = {(1, 1, (1,), (0,)), (1, 1, (0,), (1,)), (1, 1, (1,), (1,))}
    expected |= {(1, 1, (0,), (0,))} if neither_seen else set()
    assert outcomes(enumerated(sketch(*threads, delayed=delayed))) == expected


@pytest.mark.parametrize(("between", "stale"), [((), True), ((("mb",),), False)], ids=["bare", "fenced"])
def test_message_passing(between: Any, stale: bool) -> None:
    sender = (("write", "x", 1), *between, ("write", "y", 1))
    receiver = (("until", "ge", "y", 1), ("read", "x"))
    expected = {(1, 1, (), (1,))} | ({(1, 1, (), (0,))} if stale else set())
    assert outcomes(enumerated(sketch(sender, receiver, delayed=("x", "y")))) == expected


def test_a_thread_reads_its_own_store_before_others_do() -> None:
    ends = outcomes(enumerated(sketch((("write", "x", 1), ("read", "x")), delayed=("x",))))
    assert ends == {(1, 0, (1,))}


def test_an_interrupt_comes_between_any_two_steps_with_interrupts_on() -> None:
    handler = (("irq0", "t0", (("inc", "x"),)),)
    # Before the write x = 1, between it and the read, or after both.
    expected: set[Any] = {(1, 0, (1,), ()), (2, 0, (2,), ()), (2, 0, (1,), ())}
    steps = (("write", "x", 1), ("read", "x"))
    assert outcomes(enumerated(sketch(steps, interrupts=handler))) == expected
    off = (("off",), *steps)
    expected = {(1, 0, (1,), ()), (1, 0, (1,), "never")}
    assert outcomes(enumerated(sketch(off, interrupts=handler))) == expected
    held = enumerated(sketch((("lock", "a", ()),), interrupts=(("irq0", "t0", (("lock", "a", ()),)),)))
    assert outcomes(held) == {(0, 0, (), ()), (0, 0, "inside", "inside")}
    assert held.rules == {"deadlock"}
    saved = sketch((("irqsave", "a", ()),), interrupts=(("irq0", "t0", (("lock", "a", ()),)),))
    assert enumerated(saved).rules == set()


def test_who_waits_for_itself_does_so_also_under_a_handler_that_sleeps() -> None:
    sleeps = ("irq0", "t0", (("lock", "a", (("wait", "ca"),)),))
    keeps = ("irq1", "t1", (("take", "a"),))
    own = (("lock", "b", (("lock", "b", ()),)),)
    # The lock that is kept would explain a sleeper, but not a thread that wants its own.
    assert enumerated(sketch(own, (), interrupts=(sleeps, keeps))).rules == {"deadlock", "lock.leaked"}
    assert enumerated(sketch((), (), interrupts=(sleeps, keeps))).rules == {"lock.leaked"}


def test_readers_share_and_a_writer_is_alone() -> None:
    reads = (("rw_read", (("read", "x"), ("read", "x"))),)
    writes = (("rw_write", (("write", "x", 1), ("write", "x", 2))),)
    assert outcomes(enumerated(sketch(reads, writes))) == {(2, 0, (0, 0), ()), (2, 0, (2, 2), ())}
    upgrade = (("rw_read", (("rw_write", ()),)),)
    assert enumerated(sketch(upgrade)).rules == {"deadlock"}


def test_a_waiting_writer_holds_new_readers_back_if_the_lock_is_fair() -> None:
    again = (("rw_read", (("rw_read", ()),)),)
    writes = (("rw_write", ()),)
    assert enumerated(sketch(again, writes, fair=False)).rules == set()
    fair = enumerated(sketch(again, writes, fair=True))
    assert fair.rules == {"deadlock"}
    assert outcomes(fair) == {(0, 0, (), ()), (0, 0, "inside", "inside")}


def test_a_sleeper_may_wake_unasked_and_need_not() -> None:
    waits = (("lock", "a", (("wait", "ca"),)),)
    reached = enumerated(sketch(waits, spurious=True))
    assert outcomes(reached) == {(0, 0, (1,))}
    assert reached.rules == {"deadlock"}
    twice = (("lock", "a", (("wait", "ca"), ("wait", "ca"))),)
    assert outcomes(enumerated(sketch(twice, spurious=True))) == {(0, 0, "inside")}


def test_a_take_with_a_timeout_fails_only_if_the_lock_was_held() -> None:
    takes = (("timed", "a", (("read", "x"),)),)
    assert outcomes(enumerated(sketch(takes))) == {(0, 0, (1, 0))}
    holds = (("lock", "a", (("write", "x", 1),)),)
    reached = enumerated(sketch(takes, holds))
    assert outcomes(reached) == {(1, 0, (0,), ()), (1, 0, (1, 0), ()), (1, 0, (1, 1), ())}
    both = enumerated(sketch((("lock", "a", (("timed", "b", ()),)),), (("lock", "b", (("lock", "a", ()),)),)))
    assert both.rules == set()


def test_a_notification_may_go_to_one_who_is_late() -> None:
    late = (("lock", "a", (("twait", "ca"),)),)
    waits = (("lock", "a", (("write", "x", 1), ("wait", "ca"))),)
    notifies = (("until", "ge", "x", 1), ("lock", "a", (("notify", "ca"),)))
    ends = outcomes(enumerated(sketch(late, waits, notifies)))
    # Late, off the list, and the other one is woken; or still on it, and the other one is not.
    assert {(1, 0, (0,), (1,), ()), (1, 0, (0,), "inside", ()), (1, 0, (1,), "inside", ())} == ends


def test_an_event_lets_go_who_waits_and_no_others() -> None:
    pulse = (("eset",), ("eclear",))
    reached = enumerated(sketch((("ewait",),), pulse))
    assert outcomes(reached) == {(0, 0, (1,), ()), (0, 0, "inside", ())}
    assert reached.rules == {"deadlock"}
    assert outcomes(enumerated(sketch((("etwait",),), pulse))) == {(0, 0, (1,), ()), (0, 0, (0,), ())}


def test_a_barrier_lets_all_go_or_breaks_for_all() -> None:
    waits, late = (("bwait",),), (("btwait",),)
    assert outcomes(enumerated(sketch(waits, waits))) == {(0, 0, (0,), (1,)), (0, 0, (1,), (0,))}
    assert outcomes(enumerated(sketch(waits, late))) == {
        (0, 0, (0,), (1,)), (0, 0, (1,), (0,)), (0, 0, (-1,), (-1,)),
    }  # fmt: skip
    acted = enumerated(sketch((("bwait",), ("read", "x")), waits, acts=True))
    assert outcomes(acted) == {(1, 0, (0, 1), (1,)), (1, 0, (1, 1), (0,))}
    assert enumerated(sketch(waits, waits, waits)).rules == {"deadlock"}
    # One that all have come to is broken for who has not left it yet.
    broken = enumerated(sketch(waits, (("bwait",), ("babort",))))
    assert (0, 0, (-1,), (1,)) in outcomes(broken)


def test_a_bounded_semaphore_takes_back_no_more_than_it_gave() -> None:
    reached = enumerated(sketch((("bup", 1),), (("bdown",),)))
    assert outcomes(reached) == {(0, 0, (0,), ()), (0, 0, (1,), ())}


def test_an_atomic_value_is_changed_in_one_step() -> None:
    adds = (("aadd", 1),)
    assert outcomes(enumerated(sketch(adds, adds))) == {(0, 0, (0,), (1,)), (0, 0, (1,), (0,))}
    assert enumerated(sketch((("acas", 0, 1),), (("acas", 0, 2),))).states == 5


def test_a_child_runs_once_it_is_started_and_is_joined_once_it_has_ended() -> None:
    child = (("c0", (("write", "x", 1),)),)
    main = (("alive", "c0"), ("start", "c0"), ("join", "c0"), ("read", "x"), ("alive", "c0"), ("start", "c0"))
    assert outcomes(enumerated(sketch(main, children=child))) == {(1, 0, (0, 1, 1, 1, 0, 0), ())}
    late = (("start", "c0"), ("tjoin", "c0"), ("alive", "c0"))
    ends = outcomes(enumerated(sketch(late, children=child)))
    assert ends == {(1, 0, (1, 1, 0), ()), (1, 0, (1, 1, 1), ())}


def test_a_join_before_the_start_or_of_oneself_fails() -> None:
    starts, joins = (("start", "c0"),), (("join", "c0"), ("read", "x"))
    reached = enumerated(sketch(starts, joins, children=(("c0", (("join", "c0"), ("write", "x", 1))),)))
    ends = {(1, 0, (1,), seen, (0,)) for seen in ((0, 0), (0, 1), (1, 1))}
    assert outcomes(reached) == ends
    assert outcomes(enumerated(sketch(joins, children=(("c0", ()),)))) == {(0, 0, (0, 0), "never")}


def test_who_waits_for_one_who_waits_for_good_does_so_too_unless_that_is_a_daemon() -> None:
    sleeper = (("c0", (("ewait",),)),)
    starts, joins = (("start", "c0"),), (("start", "c0"), ("join", "c0"))
    assert enumerated(sketch(starts, children=sleeper)).rules == {"deadlock"}
    assert enumerated(sketch(starts, children=sleeper, daemons=("c0",))).rules == set()
    assert enumerated(sketch(joins, children=sleeper, daemons=("c0",))).rules == {"deadlock"}
    ring = (("c0", (("join", "c1"),)), ("c1", (("join", "c0"),)))
    both = (("start", "c0"), ("start", "c1"))
    assert enumerated(sketch(both, children=ring, daemons=("c0", "c1"))).rules == {"deadlock"}


def test_anybody_may_release_the_plain_lock_and_who_ends_with_it_leaves_it_taken() -> None:
    takes, gives = (("ptake",), ("ptry",)), (("prelease",),)
    reached = enumerated(sketch(takes, gives))
    ends = {(0, 0, (got,), (1,)) for got in (0, 1)} | {(0, 0, (0,), (0,))}
    assert (outcomes(reached), reached.rules) == (ends, set())
    assert outcomes(enumerated(sketch((("ptake",),), gives, shut=True))) == {(0, 0, (), (1,))}
    reached = enumerated(sketch((("ptake",),), (("ptake",),)))
    assert reached.rules == {"deadlock"}
    assert outcomes(reached) == {(0, 0, (), "inside"), (0, 0, "inside", ())}


def test_a_ring_that_others_could_open_is_none_while_they_have_not_ended() -> None:
    own, crash = (("ptake",), ("ptake",)), (("crash", "x", 0),)
    assert enumerated(sketch(own)).rules == {"deadlock"}
    assert enumerated(sketch(own, crash)).rules == {"crash.x"}
    own = (("lock", "a", (("lock", "a", ()),)),)
    assert enumerated(sketch(own, crash)).rules == {"crash.x", "deadlock"}


@pytest.mark.parametrize(("preemptions", "least"), [(0, 2), (1, 1)])
def test_an_increment_is_lost_with_one_preemption(preemptions: int, least: int) -> None:
    reached = enumerated(sketch((("inc", "x"),), (("inc", "x"),)), preemptions=preemptions)
    assert min(end[0] for end in outcomes(reached)) == least


def test_a_program_with_too_many_states_is_given_up() -> None:
    with pytest.raises(TooLarge):
        enumerated(sketch((("inc", "x"),), (("inc", "x"),)), most=5)


# -- verify against the enumerator


def _agree(
    kind: str,
    seeds: range,
    states: int,
    executions: int,
    preemptions: int | None = None,
    *,
    turned: bool = True,
) -> None:
    """The first program for each seed that is small enough: the same ends, hangs and broken rules.

    Three threads have six orders of names: ``turned``, each program is searched in one of them, and the
    program after it in the next.  A search that misses something does so in one order nearly as often as in
    either of two, and a program more shows what another order does not; the soak takes all.
    """
    for seed in seeds:
        for drawn, reached in candidates(kind, seed, states):
            known = reached if preemptions is None else None
            turns = (compared.turn(drawn, seed),) if turned else None
            try:
                # To look for what no step announces takes longer than the search, and changes no end:
                # one program of each block has it done.
                looks = seed == seeds[0]
                wrong = any(compared.mismatches(drawn, known, preemptions, executions, looks, turns))
            except TooLarge:
                continue
            if wrong:
                text = compared.described(drawn, preemptions)
                pytest.fail(f"{kind} {seed}: verify and the enumerator differ{text}")
            break


@pytest.mark.parametrize("block", range(10))
@pytest.mark.parametrize("kind", KINDS)
def test_verify_agrees_with_the_enumerator(kind: str, block: int) -> None:
    """130 programs of each kind: the same ends, hangs and broken rules."""
    _agree(kind, range(block * 13, block * 13 + 13), 500, 300)


@pytest.mark.soak
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("block", range(50))
@pytest.mark.parametrize("kind", KINDS)
def test_verify_agrees_with_the_enumerator_on_many(kind: str, block: int) -> None:
    """12,500 more of each kind, some of them larger, in every order of the names."""
    _agree(kind, range(1_000 + block * 250, 1_250 + block * 250), 1_000, 3_000, turned=False)


@pytest.mark.parametrize("block", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_what_verify_stores_is_what_its_replay_shows(kind: str, block: int) -> None:
    for seed in range(block * 50, block * 50 + 50, 25):
        drawn, reached = next(candidates(kind, seed, 200))
        assert compared.unshown(drawn, reached) == [], f"{kind} {seed}:\n{drawn}\n{as_python(drawn)}"


@pytest.mark.parametrize("preemptions", [0, 1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_bound_covers_what_the_enumerator_reaches_within_it(kind: str, preemptions: int) -> None:
    _agree(kind, range(8), 100, 1_000, preemptions)


# -- the comparison can fail


RACE = sketch((("lock", "b", (("inc", "x"),)),), (("read", "y"), ("inc", "x")), (("write", "y", 1),))


def test_a_search_that_stops_early_is_a_mismatch_that_prints_itself_shrunk() -> None:
    def blind(small: Sketch) -> bool:
        """Whether a search without preemptions misses something."""
        ends, rules = compared.searched(*program_of(small), preemptions=0)
        return ends | rules != enumerated(small).ends | enumerated(small).rules

    assert blind(RACE)
    small = shrunk(RACE, blind)
    assert small == sketch((("inc", "x"),), (("inc", "x"),))
    text = compared.described(RACE, wrong=blind)
    assert repr(small) in text
    assert as_python(small) in text


def test_what_the_search_invents_is_a_mismatch() -> None:
    reached = enumerated(RACE)
    less = Reached(set(list(reached.ends)[1:]), reached.rules)
    [first, *_] = compared.mismatches(RACE, less)
    assert (len(first.invented), len(first.missed)) == (1, 0)
    assert first.text().startswith("missed [], invented [")
