"""A controlled run stays on one processor, and gives the others back."""

from __future__ import annotations

import os
import threading

import pytest

import racebench as rb
from racebench.engine import osthreads
from racebench.engine.osthreads import pinned
from racebench.errors import ProgramError

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


def test_a_program_that_lets_no_thread_start_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", None)
    with pytest.raises(ProgramError, match="no thread can be started: threading.excepthook is None"):
        osthreads.started(print, "a")
