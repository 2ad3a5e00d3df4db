"""Child processes that need not load RaceBench: they are forked off a server that has it loaded.

A child that the pool starts begins as a Python of its own, which takes ten times as long to
load the engines as a test's call takes to run.  In the tests a server of ``multiprocessing``
has loaded them, and each child is forked off it.  What is the same as with a new Python:

- all of ``nursery``, ``child`` and ``pool`` runs as it stands, for only the way that
  ``multiprocessing`` starts a process is exchanged;
- the server has one thread and nothing but modules in it, of which no test has changed any:
  what a test patches in its own process is as little there as in a new Python;
- environment, descriptors 0 to 2, current folder and blocked signals are those of the process that
  starts the child, as they are then; other descriptors of it are not there;
- how it ended, killed by a signal or not, is told by its ``exitcode``.

What is not: the child's parent is the server; the modules are not looked for at its start, in whatever
folder that is; and it has a descriptor on which the server waits for its own end.  Tests about
those use ``starts_anew``, and so is all that the tests start as a command: it has no such server.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing import reduction
from pathlib import Path
from typing import Any

import pytest

try:
    # All that multiprocessing loads for it: there is one of each, also after a pytest inside a test.
    from multiprocessing import forkserver, popen_forkserver  # noqa: F401

    CAN = True
except ImportError:
    CAN = False

_ROOT = str(Path(__file__).resolve().parent.parent)
_LOADED = ["racebench.campaign.cell_run", "tests.campaign.test_pool"]
_HOME = os.getpid()
ANEW = multiprocessing.get_context


class _Given:
    """A descriptor that the child gets a copy of: its number there."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> Any:
        return _number, (reduction.DupFd(self._descriptor),)


def _number(given: Any) -> int:
    return int(given.detach())


class _Begin:
    """Makes ``call`` in a child that has been made like one that this process starts anew."""

    def __init__(self, call: Callable[..., None]) -> None:
        self._call = call

    def __reduce__(self) -> Any:
        # Here the child is being started.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        given = {n: _Given(n) for n in range(3) if _is_open(n)}
        return _begin, (self._call, dict(os.environ), blocked, given)

    def __call__(self, *args: Any) -> None:
        raise AssertionError("in the child this is ``call`` itself")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _begin(
    call: Callable[..., None], environment: dict[str, str], blocked: set[int], given: dict[int, int]
) -> Callable[..., None]:
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    os.environ.clear()
    os.environ.update(environment)
    for n, descriptor in given.items():
        os.dup2(descriptor, n)
        os.close(descriptor)
    return call


class _Warm:
    """Of the context "spawn" what the nursery asks for, with children off the server."""

    def __init__(self) -> None:
        context = ANEW("forkserver")
        self._process, self.Pipe = context.Process, context.Pipe

    def Process(self, target: Callable[..., None], args: tuple[Any, ...]) -> Any:
        return self._process(target=_Begin(target), args=args)


def _context(method: str | None = None) -> Any:
    # A fork of this process would take the server for a child of its own.
    if method != "spawn" or os.getpid() != _HOME:
        return ANEW(method)
    # It is started once, and must find us from whatever folder that is, and nothing else there.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", _ROOT, prepend=os.pathsep)
        patch.setenv("PYTHONSAFEPATH", "1")
        forkserver.ensure_running()
    return _Warm()


def serve() -> None:
    """From now on children come off a server, where there can be one."""
    if CAN:
        forkserver.set_forkserver_preload(_LOADED)
        multiprocessing.get_context = _context


@pytest.fixture
def starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each child of the test begins as a Python of its own, as in use."""
    monkeypatch.setattr(multiprocessing, "get_context", ANEW)
