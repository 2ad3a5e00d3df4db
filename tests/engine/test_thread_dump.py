"""What is said of threads that do not come back: their locks by name, their stacks."""

from __future__ import annotations

import threading

import racebench as rb
from racebench.engine.thread_dump import dump_threads


def test_threads_of_a_run_come_first_with_their_named_locks() -> None:
    said: list[str] = []

    class Two(rb.State):
        def __init__(self) -> None:
            self.a, self.b = rb.Lock("desc", 64), rb.Lock("rank", 1)

    def holder(s: Two) -> None:
        with s.a, s.b:
            thread = threading.Thread(target=lambda: said.append(dump_threads()))
            thread.start()
            thread.join()

    rb.stress(rb.Program("two", setup=Two, threads={"vcpu0": holder}), seconds=0.01)
    head = said[0].splitlines()
    assert head[0] == "thread vcpu0"
    assert head[1].startswith("  holds desc[64], taken in holder (")
    assert head[2].startswith("  holds rank[1], taken in holder (")
    assert "thread MainThread" in said[0]


def test_without_a_run_there_are_stacks_alone() -> None:
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(dump_threads()))
    thread.start()
    thread.join()
    assert "thread MainThread" in said[0]
    assert "holds" not in said[0]
