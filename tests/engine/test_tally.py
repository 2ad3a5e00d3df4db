"""Findings are counted by signature, and the best schedule of each is kept."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from racebench.engine.stuck import Fault
from racebench.engine.tally import Tally, schedule_of, signature_of
from racebench.findings import Alarm, Broken
from racebench.trace import Kind, Op

WRITE = Op(Kind.WRITE, "x")


class Named:
    def label(self) -> str:
        return "state"


def log(threads: str) -> list[tuple[Any, Op, Any]]:
    """One write by each of ``threads``, in this order."""
    obj = Named()
    return [(SimpleNamespace(name=name, index=ord(name) - ord("a")), WRITE, obj) for name in threads]


def ended(threads: str, *faults: Fault, broken: tuple[Broken, ...] = ()) -> Any:
    return SimpleNamespace(log=log(threads), faults=list(faults), broken=broken)


def fault(at: int, message: str = "said", past: tuple[int, ...] | None = None) -> Fault:
    made = Fault("a.b", "a.b: sign", message, at)
    made.past = past
    return made


def order(schedule: Any) -> str:
    return "".join(thread for thread, _, _ in schedule)


def test_a_signature_has_fields_or_the_message_without_its_numbers() -> None:
    assert signature_of(Broken("a.b", "virq 40 of 41", ("p.desc",))) == "a.b: p.desc"
    assert signature_of(Broken("a.b", "virq 40 of 41")) == "a.b: virq N of N"


def test_a_clean_execution_counts_nothing() -> None:
    tally = Tally()
    assert not tally.add(ended("ab"), 1, "random")
    assert (tally.seen, tally.failures, tally.first_finding) == ({}, 0, None)


def test_one_signature_is_one_finding_with_its_count() -> None:
    tally = Tally()
    assert tally.add(ended("ab", fault(2)), 3, "random")
    assert not tally.add(ended("ab", fault(2)), 5, "pct")
    assert not tally.add(ended("ab", fault(2)), 6, "pct")
    [seen] = tally.ordered()
    assert (seen.count, seen.after, seen.strategy, seen.by) == (3, 3, "random", {"random": 1, "pct": 2})
    assert (tally.failures, tally.first) == (3, 3)
    [finding] = tally.findings("explore", 7)
    assert (finding.count, finding.mode, finding.seed, finding.after) == (3, "explore", 7, 3)


def test_an_execution_that_breaks_two_rules_fails_once() -> None:
    tally = Tally()
    tally.add(ended("ab", fault(1), broken=(Broken("c.d", "too"),)), 1, "random")
    assert list(tally.seen) == ["a.b: sign", "c.d: too"]
    assert tally.failures == 1


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (("abab", 4), ("aabb", 4), "aabb"),
        (("aabb", 4), ("abab", 4), "aabb"),
        (("aabb", 4), ("aabb", 3), "aab"),
        (("aab", 3), ("aaabbb", 6), "aab"),
    ],
    ids=["fewer switches", "more switches", "fewer steps", "more steps"],
)
def test_the_schedule_with_the_fewest_switches_then_steps_is_kept(
    first: tuple[str, int], second: tuple[str, int], kept: str
) -> None:
    tally = Tally()
    for n, (threads, at) in enumerate((first, second)):
        tally.add(ended(threads, fault(at, f"message {n}")), n, "random")
    [seen] = tally.ordered()
    assert order(seen.schedule) == kept
    # Summary and evidence are those of the schedule.
    said = f"message {int(kept == second[0][: second[1]] != first[0][: first[1]])}"
    assert (seen.summary, seen.evidence["message"]) == (said, said)


def test_what_has_a_past_of_its_own_has_just_that_as_its_schedule() -> None:
    tally = Tally()
    tally.add(ended("abcab", fault(5, past=(0, 3))), 1, "exhaustive")
    assert order(tally.ordered()[0].schedule) == "aa"


def test_an_alarm_ends_with_its_last_step_and_is_no_failure() -> None:
    tally = Tally()
    tally.alarm(Alarm("c.d", "c.d: told", "told", (0, 2)), log("abcab"), 4, "random")
    [seen] = tally.ordered()
    assert (order(seen.schedule), seen.alarm) == ("abc", True)
    assert (tally.failures, tally.first, tally.first_finding) == (0, None, 4)


def test_a_step_past_the_end_means_the_whole_execution() -> None:
    tally = Tally()
    tally.alarm(Alarm("c.d", "c.d: told", "told", (7,)), log("ab"), 1, "random")
    assert order(tally.ordered()[0].schedule) == "ab"


def test_what_is_guarded_breaks_no_rule() -> None:
    tally = Tally()
    tally.alarm(Alarm("c.d", "c.d: told", "told", guarded=True), log("ab"), 1, "random")
    assert (tally.seen, tally.first_finding, tally.guarded) == ({}, None, {"c.d: told": "told"})


def test_failures_come_before_alarms() -> None:
    tally = Tally()
    tally.alarm(Alarm("c.d", "c.d: told", "told"), log("ab"), 1, "random")
    tally.add(ended("ab", fault(2)), 2, "random")
    assert [seen.alarm for seen in tally.ordered()] == [False, True]
    assert tally.first_finding == 2


def test_a_schedule_is_thread_operation_and_object() -> None:
    assert schedule_of(log("ab"), 1) == (("a", "write", "state.x"),)
