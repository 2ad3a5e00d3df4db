"""Threads that are not the program's: what they touch ends the run with their names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import racebench as rb
from tests.outside import from_outside

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class Counter(rb.State):
    x = rb.shared(0)

    def __init__(self) -> None:
        self.lock = rb.Lock("lock")
        self.ready = rb.Semaphore(0, "ready")


def increments(s: Counter) -> None:
    s.x += 1


def locks(s: Counter) -> None:
    with s.lock:
        pass


def ups(s: Counter) -> None:
    s.ready.release()


def notices(s: Counter) -> None:
    rb.check_that(False, "never.well", "it never is")


def makes(s: Counter) -> None:
    rb.Lock("another").acquire()


def _done(target: Callable[[Any], None], s: Any) -> None:
    from_outside(lambda: target(s))


STEPS = {"read Counter.x": increments, "acquire lock": locks, "release ready": ups, "check_that": notices}
MODES = {
    "verify": rb.verify,
    "explore": lambda p: rb.explore(p, executions=20),
    "stress": lambda p: rb.stress(p, seconds=0.3),
}


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_a_stranger_is_named(step: str, mode: str) -> None:
    def starts(s: Counter) -> None:
        s.x += 1
        _done(STEPS[step], s)

    program = rb.Program("odd", Counter, {"a": starts, "b": increments})
    with pytest.raises(rb.ProgramError) as raised:
        MODES[mode](program)
    said = str(raised.value)
    assert "the thread 'stranger'" in said
    # Under control a release is told as the step that it is.
    made = step if mode == "stress" else step.replace("release", "up")
    assert f"`{made}` in {STEPS[step].__name__} (engine/test_strangers.py:" in said
    assert "start it as one of the program's threads" in said


@pytest.mark.parametrize("mode", MODES)
def test_so_is_one_that_setup_has_started(mode: str) -> None:
    def setup() -> Counter:
        state = Counter()
        _done(increments, state)
        return state

    with pytest.raises(rb.ProgramError, match="the thread 'stranger'"):
        MODES[mode](rb.Program("odd", setup, {"a": increments, "b": increments}))


@pytest.mark.parametrize("mode", ["verify", "explore"])
def test_an_object_that_a_stranger_makes_has_no_number(mode: str) -> None:
    def starts(s: Counter) -> None:
        _done(makes, s)

    with pytest.raises(rb.ProgramError, match="`make "):
        MODES[mode](rb.Program("odd", Counter, {"a": starts, "b": increments}))


def test_after_the_run_its_states_are_anybodys() -> None:
    kept: list[Counter] = []

    def check(s: Counter, results: Any) -> None:
        kept.append(s)

    rb.explore(rb.Program("fine", Counter, {"a": increments}, check=check), executions=1)
    _done(increments, kept[0])
    assert kept[0].x == 2
