"""What every test is held to: it leaves no thread of ours behind."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest


def _ours() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith("racebench-")}


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """No worker thread survives a test; switch interval and affinity are as before.

    ``@pytest.mark.loses_a_thread`` is for programs that really never return.
    """
    interval = sys.getswitchinterval()
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    before = _ours()
    yield
    if request.node.get_closest_marker("loses_a_thread") is None:
        assert _ours() <= before
    assert sys.getswitchinterval() == interval
    if affinity is not None:
        assert os.sched_getaffinity(0) == affinity
