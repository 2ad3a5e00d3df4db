"""Start child processes.

Where a fork is safe, the first child of a command is forked, after the modules that
both need are loaded and before there is any other thread.  Its start costs nothing, and
it loads the engines while the parent loads its reports.  Later children, and all children
on systems where a fork may hang in a library, start as a new Python.  Hence this module
imports nothing that takes long to load.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from . import pipe
from .pipe import Connection

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

RUNS_CODE = {"run", "verify", "explore", "fuzz", "ablate"}
"""The verbs that run code under test, and so need a child."""

_FORKS = sys.platform == "linux"
_SAFE = "PYTHONSAFEPATH"
_early: list[Newborn] = []


class _Forked:
    """A fork of this process (which has one thread) that makes ``call`` and exits.

    Its methods are those of ``multiprocessing``; ``exitcode`` is None while it lives.
    """

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
                # ``_exit`` does not flush: unwritten output in the copied buffers belongs to the parent.
                os._exit(status)

    @property
    def exitcode(self) -> int | None:
        return self._wait(os.WNOHANG)

    def join(self) -> None:
        self._wait(0)

    def _wait(self, how: int) -> int | None:
        if self._status is None:
            # ChildProcessError: another part of the program has reaped it.
            with suppress(ChildProcessError):
                pid, status = os.waitpid(self.pid, how)
                if pid:
                    self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def kill(self) -> None:
        # No other process can have this number until the child is reaped.
        if self.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Newborn(NamedTuple):
    """A child that has been started: ``talk`` and ``leash`` are the parent's ends of its pipes."""

    talk: Connection
    leash: Connection
    process: _Forked | BaseProcess


def _read_nothing() -> None:
    """Replace standard input, which belongs to the parent, by the null device."""
    if sys.stdin is not None:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)


def _forked(number: int) -> Newborn:
    talk, theirs = pipe.pair()
    leash_end, leash = pipe.leash()

    def live() -> None:
        # The forked child has copies of our ends; with them open it would never see that we are gone.
        talk.close()
        leash.close()
        _live(theirs, leash_end, number)

    with _ctrl_c_held_back():
        newborn = Newborn(talk, leash, _Forked(live))
    theirs.close()
    leash_end.close()
    return newborn


def _spawned(number: int) -> Newborn:
    # Imported only here: it takes a moment.
    from multiprocessing import get_context, resource_tracker

    context = get_context("spawn")
    talk, theirs = context.Pipe()
    leash_end, leash = context.Pipe(duplex=False)
    # Not daemonic, because a program may start processes of its own.
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
    # Load the engines once for all calls, while the parent loads its reports.
    from ..engine import thread_dump  # noqa: F401
    from . import cell_run, modes  # noqa: F401
    from .child import work

    work(talk, leash, number, modes.load_all)


def start_early() -> None:
    """Start the first child; ``take`` returns it later.  The calling process has one thread."""
    if hasattr(signal, "SIGCHLD"):
        # If SIGCHLD was ignored when we were started, the system would drop our children's exit statuses.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if _FORKS:
        # Modules that both need.
        from ..scenario import selection  # noqa: F401

        _early.append(_forked(os.getpid()))
    else:
        _early.append(_spawned(os.getpid()))


def take(number: int) -> Newborn:
    """Return child ``number``; the first one may have been started early."""
    return _early.pop() if _early and number == os.getpid() else _spawned(number)


def end_early() -> None:
    """End a child that was started early and never taken: it exits once its pipes are closed."""
    while _early:
        newborn = _early.pop()
        newborn.leash.close()
        newborn.talk.close()
        newborn.process.join()


@contextmanager
def _nothing_from_here() -> Iterator[None]:
    """Make processes that are started in this block import nothing from the current folder.

    They start as ``python -c``, which searches that folder first: a pickle.py beside
    somebody's scenarios would run.  The cost: a Python that a user's program starts in a
    child does not search its current folder either.
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
    """Start processes in this block with SIGINT blocked, until they lead their own sessions."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
