"""The deadline of a visit: it interrupts, says where all stood, and leaves nothing behind."""

from __future__ import annotations

import threading

import pytest

from racebench.deadline import Deadline
from racebench.stop import Stop


def test_what_does_not_end_is_interrupted_and_described() -> None:
    stop, never = Stop(), threading.Event()
    with stop.on_signals(), Deadline(0.01) as end, pytest.raises(KeyboardInterrupt), stop.interruptible():
        never.wait()
    assert "thread MainThread" in end.stands
    assert "test_what_does_not_end_is_interrupted" in end.stands


def test_what_ends_in_time_is_left_alone() -> None:
    stop = Stop()
    with stop.on_signals(), Deadline(60.0) as end:
        pass
    assert end.stands == ""
    assert not stop.asked


def test_elsewhere_than_in_the_main_thread_it_does_nothing() -> None:
    seen: list[str] = []

    def run() -> None:
        with Deadline(0.0) as end:
            seen.extend(t.name for t in threading.enumerate() if t.name == "racebench-deadline")
        seen.append(end.stands)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [""]
