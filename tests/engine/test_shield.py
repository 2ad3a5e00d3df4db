"""A signal in the middle of an execution waits for its end."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.ending import Ending
from racebench.engine.shield import Shield

from . import programs as p


def explored(program: rb.Program) -> rb.Result:
    return rb.explore(program, executions=40)


@pytest.mark.parametrize("where", ["await_end", "_unwind"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("run", [rb.verify, explored], ids=["verify", "explore"])
def test_wherever_ctrl_c_comes_the_engine_keeps_its_threads_together(
    where: str, after: bool, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(Ending, where)
    calls = iter(range(1 << 30))

    def cut(self: Ending) -> None:
        mine = next(calls) == 3
        if mine and not after:
            signal.raise_signal(signal.SIGINT)
        real(self)
        if mine and after:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Ending, where, cut)
        before = threading.active_count()
        result = run(p.abba())
        assert threading.active_count() == before
    assert result.interrupted
    again = run(p.abba())
    assert {f.rule for f in again.findings} == {"deadlock.cycle", "lock_order.inversion"}


def test_the_handler_that_was_there_is_called_once_it_is_safe() -> None:
    calls: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: calls.append("handled"))
    try:
        shield = Shield()
        with shield.installed():
            signal.raise_signal(signal.SIGTERM)
            assert calls == ["handled"]
            with shield:
                signal.raise_signal(signal.SIGTERM)
                calls.append("safe")
            assert calls == ["handled", "safe", "handled"]
        signal.raise_signal(signal.SIGTERM)
        assert calls[3:] == ["handled"]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_that_a_program_has_put_there_stays() -> None:
    def own(number: int, frame: Any) -> None:
        pass

    before = signal.getsignal(signal.SIGTERM)
    try:
        with Shield().installed():
            signal.signal(signal.SIGTERM, own)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_elsewhere_than_in_the_main_thread_there_is_nothing_to_keep() -> None:
    before = signal.getsignal(signal.SIGINT)

    def there() -> None:
        with Shield().installed():
            assert signal.getsignal(signal.SIGINT) is before

    thread = threading.Thread(target=there)
    thread.start()
    thread.join()
