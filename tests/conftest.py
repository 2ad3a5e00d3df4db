"""What every test is held to, it leaves no thread of ours behind, and the pytest inside some of them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest

from racebench.engine.explain import answers, conclusion

from . import warm
from .inner import ROOT
from .warm import starts_anew as starts_anew

# Many tests start a Python of their own.  Where Python is told to write no bytecode, each of them
# would compile all of RaceBench again, which costs more than what it is started for.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
warm.serve()


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


@pytest.fixture
def as_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that ask which rules break: no finding is shrunk, replayed or explained.

    test_history and tests/engine/explain have that done, for every kind of finding.
    """
    monkeypatch.setattr(conclusion, "concluded", lambda scheduler, seen, finding, *rest: finding)
    monkeypatch.setattr(answers, "with_needs", lambda program, found, *rest: found)


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A pytest of its own, with this RaceBench and no settings of ours."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("PYTEST_ADDOPTS", "PYTEST_TIMEOUT", "PYTEST_XDIST_WORKER", "CI", "BUILD_NUMBER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    pytester.makeini("[pytest]\naddopts = -p no:faulthandler --strict-markers")
    return pytester
