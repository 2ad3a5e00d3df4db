"""Which steps race, and what comes before the reversal, in executions written down by hand."""

from __future__ import annotations

from .written import Written, event


def test_two_writes_of_one_field_race() -> None:
    assert Written().races("a write x", "b write x") == [(0, [], True)]


def test_two_reads_and_two_fields_do_not() -> None:
    assert Written().races("a read x", "b read x") == []
    assert Written().races("a write x", "b write y") == []


def test_a_write_races_with_every_read_since_the_last_write() -> None:
    assert Written().races("a read x", "b read x", "c write x") == [(1, [], True), (0, [1], True)]


def test_what_lies_between_is_the_only_one_that_is_raced_with() -> None:
    """To come before a's write, c comes before b's first, which is another race."""
    assert Written().races("a write x", "b write x", "c write x") == [(1, [], True)]


def test_a_write_that_was_read_is_raced_with_where_the_read_is() -> None:
    """To come before a's write is to come before b's read of it first."""
    assert Written().races("a write x", "b read x", "c write x") == [(1, [], True)]


def test_what_does_not_come_after_the_partner_comes_before_the_reversal() -> None:
    assert Written().races("a write x", "b write y", "a write z", "b read x") == [(0, [1], True)]


def test_a_hand_over_is_no_race() -> None:
    """b reads x, so what a wrote before is settled; only x itself can come the other way round."""
    assert Written().races("a write y", "a write x", "b read x", "b write y") == []


def test_a_take_races_with_the_take_before_not_with_the_release() -> None:
    written = Written()
    assert written.races("a take L", "a write x", "a free L", "b take L") == [(0, [], True)]
    assert written.races("b write x") == []


def test_a_take_races_with_the_last_take_only() -> None:
    assert Written().races("a take L", "a free L", "b take L", "b free L", "c take L") == [(2, [], True)]


def test_a_take_that_is_never_let_in_races_all_the_same() -> None:
    written = Written()
    written.races("a take A", "b take B")
    assert written.blocked("a take B") == [(1, [], True)]
    assert written.blocked("b take A") == [(0, [1], True)]


def test_a_take_inside_its_own_lock_races_with_nothing() -> None:
    """A take again has no keys: what races is the outermost one."""
    assert Written().races("a take L", "a free L", "b take L", "b take") == []


def test_who_holds_the_lock_in_the_steps_before_is_left_out_with_what_follows() -> None:
    """b's take of L cannot come where c holds L, so all that c does from its take of L on is left out."""
    written = Written()
    steps = "a take L", "c write y", "a free L", "c take L", "c write x", "c free L"
    assert written.races(*steps) == []
    assert written.races("b take L") == [(3, [], True)]
    # And before a's take: c's first step may come first, its own take not.
    assert written.partial_order.reversal(0, written.partial_order.events[-1]) == ([1], True)


def test_a_take_cannot_come_before_a_take_of_what_is_held_there() -> None:
    """a holds L from before step 1 on: the take of L has no place next to that step."""
    written = Written()
    written.races("a take L", "a write x", "a free L", "b take L")
    assert written.partial_order.reversal(1, written.partial_order.events[3]) is None


def test_who_holds_the_lock_cannot_be_left_out_if_the_thread_needs_it() -> None:
    """b has read what c wrote under L, so b's take of L has no place where c has not come to it."""
    written = Written()
    written.races("a write x", "c take L", "c write y", "b read y")
    assert written.blocked("b take L") == []
    assert written.partial_order.reversal(0, event("b take L")) is None


def test_a_try_races_with_a_take_and_with_a_release() -> None:
    assert Written().races("a take L", "b try L") == [(0, [], True)]
    assert Written().races("a take L", "a free L", "b try L") == [(1, [], True)]


def test_a_failed_try_holds_nothing() -> None:
    written = Written()
    assert written.races("a take L", "b try L", "a free L", "c take L") == [(0, [], True)]


def test_a_semaphore_lets_in_where_its_count_was_not_zero() -> None:
    """With a count of 1 b's down could only come before a's; with 2 it could come right after."""
    steps = "a down S", "a up S", "b down S"
    assert Written({"S": 1}).races(*steps) == [(0, [], True)]
    assert Written({"S": 2}).races(*steps) == [(1, [], True)]


def test_a_semaphore_that_was_raised_lets_in_before_the_next_down() -> None:
    assert Written({"S": 0}).races("a up S", "c down S", "c up S", "b down S") == [(1, [], True)]


def test_a_writer_does_not_race_past_the_writer_before() -> None:
    steps = "a enter R", "a leave R", "c lock R", "c unlock R", "b enter R", "b leave R", "d lock R"
    assert [i for i, _, _ in Written().races(*steps)] == [4]


def test_a_writer_races_with_each_reader_and_readers_do_not() -> None:
    written = Written()
    assert written.races("a enter R", "a leave R", "b enter R") == []
    assert [i for i, _, _ in written.races("b leave R", "c lock R")] == [2, 0]


def test_a_predicate_that_nobody_has_evaluated_is_to_be_tried() -> None:
    """b came to its wait only after the write: what it would have seen before is not known."""
    assert Written().races("a write p", "b write x", "b await p") == [(0, [1], False)]


def test_a_wait_that_could_not_go_on_before_the_write_does_not_come_before_it() -> None:
    """b waits from the start, and was not among those who could move."""
    assert Written().races("a write p", "b await p") == []


def test_steps_before_a_thread_s_own_are_no_races() -> None:
    assert Written().races("a write x", "a write x") == []
