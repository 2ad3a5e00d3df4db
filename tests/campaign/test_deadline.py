"""A deadline: it interrupts what does not end, says where it stood, and is nobody's wish to stop."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from racebench.campaign import deadline
from racebench.campaign.deadline import Deadline
from racebench.campaign.stop import Stop


def hangs(stop: Stop) -> None:
    with pytest.raises(KeyboardInterrupt), stop.interruptible():
        threading.Event().wait()


def test_what_does_not_end_is_interrupted_and_described() -> None:
    stop = Stop()
    with stop.on_signals(), Deadline(0.01, stop) as end:
        hangs(stop)
        assert (stop.over, stop.asked) == (True, False)
        assert "no end within 0.01 s: interrupted in " in stop.outlived
    assert "thread MainThread" in end.stands
    assert "test_what_does_not_end_is_interrupted" in end.stands
    assert not stop.over


def test_what_hangs_again_is_interrupted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_AGAIN_S", 0.01)
    stop = Stop()
    with stop.on_signals(), Deadline(0.01, stop):
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt), stop.interruptible():
                threading.Event().wait()
    assert not stop.over


def test_afterwards_all_goes_on() -> None:
    stop = Stop()
    with stop.on_signals():
        for _ in range(2):
            with Deadline(0.01, stop):
                hangs(stop)
        with stop.interruptible():
            pass
        signal.raise_signal(signal.SIGINT)
    assert stop.asked


def test_a_wish_that_comes_with_it_is_still_a_wish() -> None:
    stop = Stop()
    with stop.on_signals(), Deadline(0.01, stop):
        hangs(stop)
        signal.raise_signal(signal.SIGINT)
    assert stop.asked


def test_from_another_thread_a_wish_is_one_whoever_takes_the_signal() -> None:
    stop = Stop()
    stop.due("late")
    stop.wish()
    stop.ask()
    assert stop.asked


def test_a_signal_that_the_program_keeps_to_itself_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline, "_SIGNAL_S", 0.0)
    caught = threading.Event()
    stop = Stop()
    with stop.on_signals(), Deadline(0.01, stop):
        signal.signal(signal.SIGINT, lambda *_: caught.set())
        caught.wait()
    assert not stop.over


def test_who_heeds_no_interrupt_is_told_of_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_AGAIN_S", 0.01)
    told: list[str] = []
    heard = threading.Event()

    def stuck(said: str) -> None:
        told.append(said)
        heard.set()

    stop = Stop()
    with stop.on_signals(), Deadline(0.01, stop, stuck):
        # Outside an interruptible block a signal is only noted: nothing is raised here.
        heard.wait()
        assert stop.over
    [said] = told
    assert said.startswith("no end within 0.01 s, and no heed of an interrupt: it is in ")


def test_a_block_is_not_over_while_it_is_told_to_be_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_AGAIN_S", 0.01)
    begun, ended = threading.Event(), []

    def stuck(said: str) -> None:
        begun.set()
        # The main thread is on its way out, and must wait for us here.
        threading.Event().wait(0.05)
        ended.append(said)

    stop = Stop()
    with stop.on_signals(), Deadline(0.01, stop, stuck):
        begun.wait()
    assert ended


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_what_ends_in_time_is_left_alone(seconds: float | None) -> None:
    stop = Stop()
    with stop.on_signals(), Deadline(seconds, stop) as end:
        pass
    assert end.stands == ""
    assert not stop.over


def test_elsewhere_than_in_the_main_thread_it_does_nothing() -> None:
    seen: list[Any] = []

    def run() -> None:
        stop = Stop()
        with stop.on_signals(), Deadline(0.0, stop) as end:
            seen.extend(t.name for t in threading.enumerate() if t.name == "racebench-deadline")
        seen.append(end.stands)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [""]


def test_where_nobody_handles_its_signal_it_does_nothing() -> None:
    stop = Stop()
    with Deadline(0.0, stop):
        assert not [t for t in threading.enumerate() if t.name == "racebench-deadline"]
    assert not stop.over
