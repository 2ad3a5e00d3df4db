"""A predicted inversion is confirmed with a schedule, proved unreachable, or left open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.engine.explain.confirmation import _ring
from racebench.scenario.selection import select

from .. import lock_programs
from .. import programs as p


class Guarded(rb.State):
    """The second order is taken only after the first thread has finished for good."""

    done = rb.shared(False, atomic=True)

    def __init__(self) -> None:
        self.a = rb.Lock("a")
        self.b = rb.Lock("b")


def first(s: Guarded) -> None:
    with s.a, s.b:
        pass
    s.done = True


def second(s: Guarded) -> None:
    # A look, not a wait: the detector takes it for chance.
    if s.done:
        with s.b, s.a:
            pass


def label(result: rb.Result) -> Any:
    [finding] = [f for f in result.findings if f.rule == "lock_order.inversion"]
    return finding.evidence["confirmation"]


def test_confirmed_by_the_hang_that_was_found() -> None:
    program = p.abba()
    said = label(rb.verify(program))
    assert said["label"] == "confirmed"
    schedule = tuple(tuple(step) for step in said["schedule"])
    assert "deadlock.cycle" in {f.rule for f in rb.replay(program, schedule).findings}


def test_a_search_that_met_no_hang_steers_to_it() -> None:
    result = rb.explore(p.abba(), strategy="pct", executions=1)
    assert "deadlock.cycle" not in {f.rule for f in result.findings}
    said = label(result)
    assert said["label"] == "confirmed"
    assert "steered" in said["why"]
    schedule = tuple(tuple(step) for step in said["schedule"])
    assert "deadlock.cycle" in {f.rule for f in rb.replay(p.abba(), schedule).findings}


def test_three_in_a_ring_are_steered_to() -> None:
    assert label(rb.explore(p.dining(), strategy="pct", executions=1))["label"] == "confirmed"


def test_unreachable_is_said_only_with_a_proof() -> None:
    program = rb.Program("guarded", setup=Guarded, threads={"one": first, "two": second})
    proved = rb.verify(program)
    assert proved.complete
    assert label(proved)["label"] == "unreachable"
    assert label(rb.explore(program, executions=50))["label"] == "open"


def test_nothing_is_unreachable_in_what_is_not_seen() -> None:
    def noting(of: Callable[[Guarded], None]) -> Callable[[Guarded], None]:
        def thread(s: Guarded) -> None:
            s.noted = object()  # type: ignore[attr-defined]
            of(s)

        return thread

    result = rb.verify(rb.Program("guarded", Guarded, {"one": noting(first), "two": noting(second)}))
    assert result.stats["unseen"]
    assert label(result)["label"] == "open"


@pytest.mark.parametrize(
    ("scenario", "expected"), [("route_vs_isenabler", "unreachable"), ("release_vs_isenabler", "confirmed")]
)
def test_the_solved_example_and_its_twin(scenario: str, expected: str) -> None:
    [found] = select([scenario])
    result = rb.verify(found.program("baseline"))
    assert result.complete
    assert label(result)["label"] == expected
    assert ("deadlock.cycle" in {f.rule for f in result.findings}) == (expected == "confirmed")


CONFIRMED = (5, 10, 24, 27, 29, 35, 54, 55, 95, 132, 163, 171, 196, 521)
UNREACHABLE = (162, 243, 695)


@pytest.mark.parametrize("seed", [*CONFIRMED, *UNREACHABLE])
def test_labels_are_those_of_an_enumerator(seed: int) -> None:
    source = lock_programs.written(seed)
    rings = lock_programs.Enumerator(source).reached().rings
    program = lock_programs.program(source)
    result = rb.verify(program)
    assert result.complete
    inversions = [f for f in result.findings if f.rule == "lock_order.inversion"]
    labels = {f.evidence["confirmation"]["label"] for f in inversions}
    assert ("unreachable" in labels) == (seed in UNREACHABLE)
    for finding in inversions:
        ring, said = _ring(finding.evidence), finding.evidence["confirmation"]
        assert said["label"] == ("confirmed" if ring in rings else "unreachable")
        if ring in rings:
            schedule = tuple(tuple(step) for step in said["schedule"])
            assert ring in {_ring(f.evidence) for f in rb.replay(program, schedule).findings}
