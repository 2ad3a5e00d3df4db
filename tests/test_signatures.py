"""Our primitives are called as those of ``threading`` are; a name and an index may follow."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import pytest

import racebench as rb

POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def written(*parameters: tuple[str, Any]) -> list[inspect.Parameter]:
    return [inspect.Parameter(name, POSITIONAL, default=default) for name, default in parameters]


ACQUIRE = written(("blocking", True), ("timeout", -1))
"""Of the locks written in C, which not every Python can be asked about."""

MADE = {
    "Lock": [],
    "RLock": [],
    **{
        name: list(inspect.signature(getattr(threading, name)).parameters.values())
        for name in ("Condition", "Semaphore", "BoundedSemaphore", "Event", "Barrier")
    },
}

CALLED = {
    ("Lock", "acquire"): ACQUIRE,
    ("Lock", "release"): [],
    ("Lock", "locked"): [],
    ("RLock", "acquire"): ACQUIRE,
    ("RLock", "release"): [],
    ("Condition", "acquire"): ACQUIRE,
    ("Condition", "release"): [],
    **{
        (cls, name): list(inspect.signature(getattr(getattr(threading, cls), name)).parameters.values())[1:]
        for cls, names in {
            "Condition": ("wait", "wait_for", "notify", "notify_all"),
            "Semaphore": ("acquire", "release"),
            "BoundedSemaphore": ("acquire", "release"),
            "Event": ("is_set", "set", "clear", "wait"),
            "Barrier": ("wait", "reset", "abort"),
        }.items()
        for name in names
    },
}


def shape(parameters: Any) -> list[tuple[str, Any, Any]]:
    return [(one.name, one.kind, one.default) for one in parameters]


@pytest.mark.parametrize("cls", MADE)
def test_they_are_made_as_in_threading_with_a_name_and_an_index_after_that(cls: str) -> None:
    ours = list(inspect.signature(getattr(rb, cls).__init__).parameters.values())[1:]
    theirs = MADE[cls]
    assert shape(ours[: len(theirs)]) == shape(theirs)
    further = ours[len(theirs) :]
    assert shape(further[:2]) == shape(written(("cls", None), ("index", None)))
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in further[2:])


@pytest.mark.parametrize(("cls", "name"), CALLED)
def test_their_methods_are_those_of_threading(cls: str, name: str) -> None:
    ours = list(inspect.signature(getattr(getattr(rb, cls), name)).parameters.values())[1:]
    assert shape(ours) == shape(CALLED[cls, name])


def test_what_threading_has_besides() -> None:
    assert {name for name in ("parties", "n_waiting", "broken") if hasattr(rb.Barrier(1), name)} == {
        "parties",
        "n_waiting",
        "broken",
    }
    assert rb.BrokenBarrierError is threading.BrokenBarrierError
    assert rb.local is threading.local


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (rb.Lock("desc", 64), "desc[64]"),
        (rb.RLock("desc"), "desc"),
        (rb.Semaphore(2), "semaphore"),
        (rb.Semaphore(0, "sem"), "sem"),
        (rb.BoundedSemaphore(1, "slots", 3), "slots[3]"),
        (rb.Condition(rb.Lock(), "cond"), "cond"),
        (rb.Condition(cls="cond", index=1), "cond[1]"),
        (rb.Event("done"), "done"),
        (rb.Barrier(2, None, 1.0, "start"), "start"),
        (rb.Atomic(0, "refs", 7), "refs[7]"),
    ],
)
def test_each_can_be_named(made: Any, name: str) -> None:
    assert made.name == name


@pytest.mark.parametrize("make", [rb.Lock, rb.RLock, rb.Condition, threading.Lock, threading.RLock])
def test_locks_refuse_the_timeouts_that_threading_refuses(make: Any) -> None:
    lock = make()
    with pytest.raises(ValueError):
        lock.acquire(False, 1)
    with pytest.raises(ValueError):
        lock.acquire(timeout=-2)
    with pytest.raises(OverflowError):
        lock.acquire(timeout=2 * threading.TIMEOUT_MAX)
    with pytest.raises(TypeError):
        lock.acquire(timeout=None)
    assert lock.acquire(True, -1)
    lock.release()


@pytest.mark.parametrize("module", [rb, threading])
def test_semaphores_and_barriers_refuse_what_those_of_threading_refuse(module: Any) -> None:
    with pytest.raises(ValueError, match="must be >= 0"):
        module.Semaphore(-1)
    with pytest.raises(ValueError, match="can't specify timeout"):
        module.Semaphore().acquire(False, 1)
    with pytest.raises(ValueError, match="one or more"):
        module.Semaphore().release(0)
    bounded = module.BoundedSemaphore(2)
    bounded.acquire()
    with pytest.raises(ValueError, match="too many times"):
        bounded.release(2)
    bounded.release()
    with pytest.raises(ValueError, match="too many times"):
        bounded.release()


LONG = (float("inf"), float("nan"), 2 * threading.TIMEOUT_MAX)


class Waited(rb.State):
    n = rb.shared(0)

    def __init__(self) -> None:
        self.event, self.barrier, self.sem = rb.Event(), rb.Barrier(2), rb.Semaphore(0)
        self.cond, self.lock = rb.Condition(), rb.Lock()


def waits_on_condition(s: Waited, timeout: float) -> None:
    with s.cond:
        s.cond.wait(timeout)


WAITS: dict[str, Any] = {
    "event": lambda s, timeout: s.event.wait(timeout),
    "barrier": lambda s, timeout: s.barrier.wait(timeout),
    "semaphore": lambda s, timeout: s.sem.acquire(timeout=timeout),
    "condition": waits_on_condition,
    "lock": lambda s, timeout: s.lock.acquire(timeout=timeout),
}


@pytest.mark.parametrize("timeout", LONG)
@pytest.mark.parametrize("name", WAITS)
def test_no_mode_waits_longer_than_a_machine_can(name: str, timeout: float) -> None:
    def waits(s: Waited) -> None:
        s.n += 1
        WAITS[name](s, timeout)

    program = rb.Program("long", Waited, {"a": waits})
    for result in (rb.verify(program), rb.stress(program, 60, stop_on_first=True)):
        assert {finding.rule for finding in result.findings} == {"program.error"}
        assert "Error" in result.findings[0].summary
    with pytest.raises((OverflowError, ValueError)):
        WAITS[name](Waited(), timeout)
