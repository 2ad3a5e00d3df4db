"""Where child processes come from.

The first one of a command is forked off, where that is safe, once what parent and
child both need is loaded, and before there is any thread: it costs nothing to start,
and loads the engines while the parent loads all that it shows.  Later ones, and all on systems
where a fork may hang in a library, begin as a Python of their own.  Hence nothing is
imported here that takes a moment.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

RUNS_CODE = {"run", "verify", "explore", "fuzz", "ablate"}
"""The verbs that run code under test, and so need a child."""

_FORKS = sys.platform == "linux"
_SAFE = "PYTHONSAFEPATH"
_early: list[Newborn] = []


class Newborn:
    """A child that has been started: ``talk`` and ``leash`` are the parent's ends of its pipes.

    ``forked``: it is a copy of the calling process, which has one thread.
    """

    def __init__(self, number: int, forked: bool = False) -> None:
        get_context = multiprocessing.get_context
        context = get_context("fork") if forked else get_context("spawn")
        self.talk: Connection
        self.leash: Connection
        self.talk, theirs = context.Pipe()
        leash_end, self.leash = context.Pipe(duplex=False)
        # A copy has our ends too, and would never hear that we are gone.
        ours = (self.talk, self.leash) if forked else ()
        # No daemon: a program may start processes of its own.
        self.process = context.Process(target=_live, args=(theirs, leash_end, number, ours))
        with nullcontext() if forked else _nothing_from_here(), _ctrl_c_held_back(forked):
            self.process.start()
        theirs.close()
        leash_end.close()


def _live(talk: Connection, leash: Connection, number: int, parents: Iterable[Connection]) -> None:
    for end in parents:
        end.close()
    # The engines: once for all calls, and while the parent loads what it shows.
    from . import cell_run  # noqa: F401
    from .child import work

    work(talk, leash, number)


def start_early() -> None:
    """Start the first child, for whoever takes it.  The calling process has one thread."""
    if _FORKS:
        # What both need.
        from ..scenario import selection  # noqa: F401
    _early.append(Newborn(os.getpid(), _FORKS))


def take(number: int) -> Newborn:
    """Child ``number``; the first one may have been started early."""
    return _early.pop() if _early and number == os.getpid() else Newborn(number)


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
def _ctrl_c_held_back(forked: bool) -> Iterator[None]:
    """A process started in here begins with SIGINT blocked, until it leads its own session."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Starting the tracker, which a fork does without, unblocks SIGINT (CPython before 3.12), so it must run already.
    if not forked:
        resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
