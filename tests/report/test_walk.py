"""A schedule step by step."""

from __future__ import annotations

from typing import Any

from racebench.report.tree import Wait, Walk
from racebench.report.walk import walk

from .samples import finding, record, step


def walked(*steps: dict[str, Any], **evidence: Any) -> Walk:
    trail = walk(record(finding(evidence={"steps": list(steps), **evidence})))
    assert trail is not None
    return trail


def takes(thread: str, lock: str, how: str = "acquire", *held: str) -> dict[str, Any]:
    return step(thread, how, lock, held=list(held))


def test_a_thread_waits_from_the_end_of_its_last_step_while_another_has_the_lock() -> None:
    trail = walked(
        step("a", "read", "s.x", "0", "0"), takes("b", "l"), takes("b", "l", "release", "l"), takes("a", "l")
    )
    assert [list(frame.waits) for frame in trail.failing] == [[], [Wait("a", "l", "b")], [], []]
    assert trail.threads == ("toolstack", "vcpu0", "a", "b")
    assert [frame.held[2:] for frame in trail.failing] == [((), ()), ((), ("l",)), ((), ()), (("l",), ())]


def test_a_try_never_waits_and_readers_do_not_wait_for_one_another() -> None:
    tried = walked(takes("b", "l"), step("a", "try_acquire", "l"))
    shared = walked(takes("b", "l", "acquire_read"), takes("a", "l", "acquire_read"))
    writer = walked(takes("b", "l", "acquire_read"), takes("a", "l", "acquire_write"))
    assert not tried.failing[0].waits and not shared.failing[0].waits
    assert list(writer.failing[0].waits) == [Wait("a", "l", "b")]


def test_a_deadlock_ends_with_its_ring() -> None:
    trail = walk(record(finding()))
    assert trail is not None
    assert set(trail.failing[-1].waits) == {
        Wait("vcpu0", "desc[64]", "toolstack"), Wait("toolstack", "rank[1]", "vcpu0")
    }  # fmt: skip
    assert not trail.failing[-2].waits[1:], "toolstack is on its way until its last step"


def test_what_nobody_holds_is_waited_for_at_the_end_alone() -> None:
    edge = {"thread": "a", "holds": [], "wants": {"lock": "done", "site": "wait (x.py:1)"}}
    steps = [step("a", "read", "s.x", "0", "0"), step("b", "read", "s.x", "0", "0")]
    trail = walk(record(finding(rule="deadlock.wait", evidence={"steps": steps, "waiting": [edge]})))
    assert trail is not None
    assert [list(frame.waits) for frame in trail.failing] == [[], [Wait("a", "done")]]


def test_fields_have_the_value_that_the_last_step_left() -> None:
    trail = walked(step("a", "write", "s.x", "0", "1"), step("b", "read", "s.y", "None"), takes("b", "l"))
    assert trail.start == {"s.x": "0", "s.y": "None"}
    assert [frame.left for frame in trail.failing] == [("s.x", "1"), ("s.y", "None"), None]
    assert trail.failing[0].value == "0 → 1"


STEPS = [step("a", "read", "s.x", "0", "0"), step("b", "write", "s.x", "0", "1")]
PASSING = {
    "at": 1,
    "failing": ["b", "read", "s.x"],
    "passing": ["a", "acquire", "l"],
    "schedule": [["a", "read", "s.x"], ["a", "acquire", "l"], ["a", "write", "s.x"], ["a", "release", "l"]],
}


def test_the_nearest_passing_schedule_shares_the_beginning() -> None:
    rest = [takes("a", "l"), step("a", "write", "s.x", "0", "7", held=["l"]), takes("a", "l", "release", "l")]
    trail = walked(*STEPS, passing={**PASSING, "rest": rest})
    assert trail.at == 1 and trail.passing[0].does == trail.failing[0].does
    assert [frame.left for frame in trail.passing] == [("s.x", "0"), None, ("s.x", "7"), None]


def test_of_a_run_stored_without_its_values_the_locks_are_known() -> None:
    trail = walked(*STEPS, passing=PASSING)
    assert [frame.held[2] for frame in trail.passing] == [(), ("l",), ("l",), ()]
    assert trail.passing[2].value == "? → ?" and trail.passing[2].left == ("s.x", "?")


def test_what_is_not_as_racebench_writes_it_is_left_out() -> None:
    for at in (9, -1):
        assert not walked(*STEPS, passing={**PASSING, "at": at}).passing
    trail = walk(record(finding(evidence={}, schedule=[["a", "write", "s.x"]])))
    assert trail is not None and trail.start == {"s.x": "?"}
    assert walk(record(finding(evidence={}, schedule=[]))) is None
