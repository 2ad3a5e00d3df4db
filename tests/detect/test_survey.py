"""The one look for all detectors: what it says, and that detectors say the same without it."""

from __future__ import annotations

from itertools import islice

import pytest

from racebench.detect import detect
from racebench.detect.survey import survey
from racebench.engine.control.scheduler import Scheduler
from racebench.engine.search.dpor import Search
from racebench.engine.search.evidence import executions_of
from racebench.engine.search.loop import outcomes
from racebench.trace import Execution

from ..engine.generated import KINDS, candidates
from ..engine.sketched import program_of
from .traces import Trace

UNDER_ONE_LOCK = (
    "a acquire m", "a write s.x", "a release m",
    "b acquire m", "b read s.x", "b release m",
)  # fmt: skip


def surveyed(*lines: str) -> tuple[bool, set[tuple[str, str]]] | None:
    found = survey(Trace(*lines).execution)
    return None if found is None else (found.guarded, found.nested)


def test_fields_under_one_lock_are_guarded() -> None:
    assert surveyed(*UNDER_ONE_LOCK) == (True, set())


@pytest.mark.parametrize(
    "lines",
    [
        ("a write s.x", "b acquire m", "b read s.x", "b release m"),
        ("a acquire l", "a write s.x", "a release l", *UNDER_ONE_LOCK[3:]),
        (*UNDER_ONE_LOCK, "a write s.x"),
        (*UNDER_ONE_LOCK[:3], "b acquire m", "b try_acquire l", "b release m", "b read s.x", "b release l"),
        ("a acquire m", "b try_acquire m", "b read s.x", "a write s.x", "a release m"),
    ],
    ids=["one without", "another lock", "once without", "not the same at each use", "a try that fails"],
)
def test_fields_without_a_lock_in_common_are_not(lines: tuple[str, ...]) -> None:
    found = surveyed(*lines)
    assert found is not None
    assert not found[0]


def test_what_is_only_read_or_of_one_thread_or_atomic_needs_no_lock() -> None:
    lines = ("a read s.x", "b read s.x", "a write s.y", "a write s.y", "a write s.z~", "b write s.z~")
    assert surveyed(*lines) == (True, set())


def test_a_lock_that_is_wanted_with_another_held_is_an_edge_and_one_that_is_tried_is_none() -> None:
    nested = ("a acquire l", "a acquire m", "a release m", "a try_acquire k", "a release k", "a release l")
    assert surveyed(*nested) == (True, {("l", "m")})
    assert surveyed("a acquire l", "b acquire m", "blocked a acquire m", "blocked b acquire l") == (
        True,
        {("l", "m"), ("m", "l")},
    )


@pytest.mark.parametrize(
    "lines",
    [
        ("a acquire_read rw", "a release_read rw"),
        ("a release m",),
        ("a acquire m", "b release m"),
        ("a acquire m", "blocked a acquire m"),
        ("blocked a request_read rw!",),
    ],
    ids=["read lock", "not held", "of another", "waits for its own", "waits to read"],
)
def test_where_locks_are_used_otherwise_there_is_none(lines: tuple[str, ...]) -> None:
    assert surveyed(*lines) is None


@pytest.mark.parametrize("kind", KINDS)
def test_detectors_say_the_same_without_it(kind: str) -> None:
    """On some executions of random programs."""
    for seed in range(5):
        sketch, _ = next(candidates(kind, seed, 300))
        program, _ = program_of(sketch)
        with Scheduler(program) as scheduler:
            for outcome in islice(outcomes(Search(scheduler)), 25):
                for execution in executions_of(scheduler, outcome) if outcome is not None else ():
                    alarms = detect(execution)
                    execution.surveys[:] = [None]
                    assert alarms == detect(execution), sketch


def test_there_are_surveys_of_both_kinds_among_those() -> None:
    """Else the test before this says nothing."""
    said: set[bool | None] = set()
    for seed in range(25):
        program, _ = program_of(next(candidates("plain", seed, 300))[0])
        with Scheduler(program) as scheduler:
            for outcome in islice(outcomes(Search(scheduler)), 5):
                found = None if outcome is None else survey(_first(scheduler, outcome))
                said.add(None if found is None else found.guarded)
    assert said == {None, True, False}


def _first(scheduler: Scheduler, outcome: object) -> Execution:
    execution = executions_of(scheduler, outcome)  # type: ignore[arg-type]
    return execution[0] if execution else Execution(1, ())
