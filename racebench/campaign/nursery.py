"""Where child processes come from.

The first one of a command is forked off, where that is safe, once what parent and
child both need is loaded, and before there is any thread: it costs nothing to start,
and loads the engines while the parent loads all that it shows.  Later ones, and all on systems
where a fork may hang in a library, begin as a Python of their own.  Hence nothing is
imported here that takes a moment.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, Protocol

from . import pipe
from .pipe import Connection

RUNS_CODE = {"run", "verify", "explore", "fuzz", "ablate"}
"""The verbs that run code under test, and so need a child."""

_FORKS = sys.platform == "linux"
_SAFE = "PYTHONSAFEPATH"
_early: list[Newborn] = []


class Process(Protocol):
    """A child's process, as ``multiprocessing`` has it; ``exitcode`` is None while it lives."""

    @property
    def pid(self) -> int | None: ...

    @property
    def exitcode(self) -> int | None: ...

    def kill(self) -> None: ...

    def join(self) -> None: ...


class Newborn(NamedTuple):
    """A child that has been started: ``talk`` and ``leash`` are the parent's ends of its pipes."""

    talk: Connection
    leash: Connection
    process: Process


class _Forked:
    """A copy of this process, which has one thread, that makes ``call`` and ends."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                _read_nothing()
                call()
                status = 0
            except BaseException as error:
                sys.__excepthook__(type(error), error, error.__traceback__)
            finally:
                # What the parent had not yet written is the parent's.
                os._exit(status)

    @property
    def exitcode(self) -> int | None:
        return self._wait(os.WNOHANG)

    def join(self) -> None:
        self._wait(0)

    def _wait(self, how: int) -> int | None:
        if self._status is None:
            # ChildProcessError: somebody else has reaped it.
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, how)
                if pid:
                    self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def kill(self) -> None:
        # Its number is its own until it is reaped.
        if self.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def _read_nothing() -> None:
    """Standard input is the parent's."""
    if sys.stdin is not None:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)


def _forked(number: int) -> Newborn:
    talk, theirs = pipe.pair()
    leash_end, leash = pipe.leash()

    def live() -> None:
        # A copy has our ends too, and would never hear that we are gone.
        talk.close()
        leash.close()
        _live(theirs, leash_end, number)

    with _ctrl_c_held_back():
        newborn = Newborn(talk, leash, _Forked(live))
    theirs.close()
    leash_end.close()
    return newborn


def _spawned(number: int) -> Newborn:
    # Only here: it takes a moment.
    from multiprocessing import get_context, resource_tracker

    context = get_context("spawn")
    talk, theirs = context.Pipe()
    leash_end, leash = context.Pipe(duplex=False)
    # No daemon: a program may start processes of its own.
    process = context.Process(target=_live, args=(theirs, leash_end, number))
    with _nothing_from_here():
        # Starting the tracker unblocks SIGINT (CPython before 3.12), so it must run already.
        if hasattr(signal, "pthread_sigmask"):
            resource_tracker.ensure_running()
        with _ctrl_c_held_back():
            process.start()
    theirs.close()
    leash_end.close()
    return Newborn(talk, leash, process)


def _live(talk: Connection, leash: Connection, number: int) -> None:
    # The engines: once for all calls, and while the parent loads what it shows.
    from . import cell_run  # noqa: F401
    from .child import work

    work(talk, leash, number)


def start_early() -> None:
    """Start the first child, for whoever takes it.  The calling process has one thread."""
    if hasattr(signal, "SIGCHLD"):
        # Who was started with it ignored would have children of which nobody learns how they ended.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if _FORKS:
        # What both need.
        from ..scenario import selection  # noqa: F401

        _early.append(_forked(os.getpid()))
    else:
        _early.append(_spawned(os.getpid()))


def take(number: int) -> Newborn:
    """Child ``number``; the first one may have been started early."""
    return _early.pop() if _early and number == os.getpid() else _spawned(number)


def end_early() -> None:
    """Let a child go that nobody has taken: it exits once its pipes are closed."""
    while _early:
        newborn = _early.pop()
        newborn.leash.close()
        newborn.talk.close()
        newborn.process.join()


@contextmanager
def _nothing_from_here() -> Iterator[None]:
    """A process started in here imports nothing from the current folder.

    It begins as ``python -c``, which looks there first: a pickle.py that lies
    beside somebody's scenarios would run.  Costs a Python that a user's program
    starts in a child its own look there.
    """
    before = os.environ.get(_SAFE)
    os.environ[_SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE]
        else:
            os.environ[_SAFE] = before


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """A process started in here begins with SIGINT blocked, until it leads its own session."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
