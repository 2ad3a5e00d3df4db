"""Where processes and the threads of a controlled run run."""

from __future__ import annotations

import os

import pytest

import racebench as rb
from racebench.engine.places import pinned

several = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two processors, and an OS that says which",
)


@several
def test_all_threads_of_a_controlled_run_share_one_processor() -> None:
    before = os.sched_getaffinity(0)
    seen: list[set[int]] = []

    def look(state: object) -> None:
        seen.append(os.sched_getaffinity(0))

    rb.explore(rb.Program("pinned", rb.State, {"a": look, "b": look}), executions=2)
    assert len(seen) >= 4
    assert all(cpus == seen[0] and len(cpus) == 1 for cpus in seen)
    assert os.sched_getaffinity(0) == before


@several
def test_the_processors_come_back_after_an_error() -> None:
    before = os.sched_getaffinity(0)

    with pytest.raises(ValueError), pinned():
        assert len(os.sched_getaffinity(0)) == 1
        raise ValueError
    assert os.sched_getaffinity(0) == before
