"""Ending early, where it is safe."""

from __future__ import annotations

import signal

import pytest

from racebench.campaign.stop import Stop


def test_outside_a_block_it_is_only_noted() -> None:
    stop = Stop()
    stop.ask()
    assert stop.asked


def test_inside_a_block_it_interrupts_once() -> None:
    stop = Stop()
    with pytest.raises(KeyboardInterrupt), stop.interruptible():
        stop.ask()
    stop.ask()
    assert stop.asked


def test_a_block_is_not_entered_after_it() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(KeyboardInterrupt), stop.interruptible():
        pytest.fail("entered")


def test_the_third_time_is_insisting() -> None:
    stop = Stop()
    stop.ask()
    stop.ask()
    with pytest.raises(KeyboardInterrupt):
        stop.ask()


def test_a_callback_tells_what_the_engine_swallowed() -> None:
    stop, heard = Stop(), []
    progress = stop.checked(heard.append)
    progress(1)
    stop.ask()
    with pytest.raises(KeyboardInterrupt):
        progress(2)
    assert heard == [1, 2]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signals_ask_and_are_put_back(name: str) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    stop = Stop()
    with stop.on_signals():
        signal.raise_signal(number)
        assert stop.asked
    assert signal.getsignal(number) is before


class Loud:
    def __init__(self, stop: Stop) -> None:
        self.stop = stop

    def __del__(self) -> None:
        self.stop.ask()


def test_an_interrupt_in_a_destructor_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    stop = Stop()
    with stop.on_signals(), stop.interruptible():
        Loud(stop)
    assert stop.asked
    assert capsys.readouterr().err == ""
