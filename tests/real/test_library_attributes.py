"""The attributes of the library's classes are those that the code of their modules uses."""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401
import queue  # noqa: F401
import sched  # noqa: F401
import sys
from itertools import count

import pytest

from racebench.engine.real.names import attributes, closed
from racebench.engine.real.run import _library


def test_an_object_has_all_the_attributes_that_its_class_uses() -> None:
    found = _library()
    assert {cls.__name__ for cls in found} == {
        *("Queue", "LifoQueue", "PriorityQueue", "Future", "ThreadPoolExecutor", "scheduler"),
    }
    # What the code says besides is of other classes of the same modules.
    others = {"_count", "_queue", "event", "finished_futures", "futures", "lock", "num_pending_calls"} | {
        *("stop_on_exception", "_counter", "args", "cancel", "fn", "future", "kwargs", "task"),
    }
    for cls, own in found.items():
        assert own <= attributes(cls) <= own | others
        assert not closed(cls)


def test_a_pool_of_the_user_keeps_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from racebench.engine.real import run

    pools = concurrent.futures.ThreadPoolExecutor
    run._attributes_of_one.cache_clear()
    monkeypatch.setattr(pools, "_counter", count(7).__next__)
    _library()
    assert pools._counter() == 7  # type: ignore[attr-defined]


def test_a_class_that_somebody_has_put_there_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Queue:
        def __init__(self) -> None:
            raise AssertionError("made")

    monkeypatch.setattr(sys.modules["queue"], "Queue", Queue)
    assert Queue not in _library()
