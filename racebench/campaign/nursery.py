"""Where child processes come from.

The first one of a command is started before anything else is loaded: it takes
as long to load the engines as the parent takes to load all that it shows.
Hence nothing is imported here that takes a moment.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

RUNS_CODE = {"run", "verify", "explore", "fuzz", "ablate"}
"""The verbs that run code under test, and so need a child."""

_SAFE = "PYTHONSAFEPATH"
_early: list[Newborn] = []


class Newborn:
    """A child that has been started: ``talk`` and ``leash`` are the parent's ends of its pipes."""

    def __init__(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.talk: Connection
        self.leash: Connection
        self.talk, theirs = context.Pipe()
        leash_end, self.leash = context.Pipe(duplex=False)
        # No daemon: a program may start processes of its own.
        self.process = context.Process(target=_live, args=(theirs, leash_end, number))
        with _nothing_from_here(), _ctrl_c_held_back():
            self.process.start()
        theirs.close()
        leash_end.close()


def _live(*how: Any) -> None:
    from .child import work

    work(*how)


def start_early() -> None:
    """Start the first child, for whoever takes it."""
    _early.append(Newborn(os.getpid()))


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
def _ctrl_c_held_back() -> Iterator[None]:
    """A process started in here begins with SIGINT blocked, until it leads its own session."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Starting the tracker unblocks SIGINT (CPython before 3.12), so it must run already.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
