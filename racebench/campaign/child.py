"""A child process: it makes the calls that its parent, a pool, sends it.

Where there is fork, each call is made in a fork of the child, which has all
modules loaded and one thread: whatever a program does to its process is over
with the call.  Elsewhere the child makes it itself, and so it does the last call of
all, which can spoil no other: that is spared the fork.

Two pipes.  ``talk`` carries calls down and messages up; only whoever makes the
call writes to it.  ``leash`` goes down only, and a thread of its own reads it
during a call: a message says that the call is to end, and why; its end says
that the parent is gone.  A call that was told to end is the child's last one.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from .. import engine
from ..errors import described, is_ours
from .pipe import Connection
from .stop import Stop

NO_END, NO_WORD = "no end within", "no progress within"
BEGUN, LATE, OVER = "begun", "late", "over"
"""Messages that a call is being made by the process of this number; that it is late, what is said of
it, and where every thread stands; that its process has ended with this status, answer or none."""


class Call(NamedTuple):
    """``function(link, *args)`` in a child: both are sent there, so the function is one of a module's.

    ``last``: the child is to make no other after it.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    last: bool = False


class Link:
    """What a call has of its process: it tells the parent, and knows whether it is to end."""

    def __init__(self, talk: Connection) -> None:
        self._talk, self._pid = talk, os.getpid()
        # Between the main thread and the leash's, which says where all stand when the time is up.
        self._sending = threading.Lock()
        self.stop = Stop()

    def tell(self, word: str, *what: Any) -> None:
        """Send one message, whole: an interrupt waits for its end.  For the main thread."""
        with self.stop.shielded():
            self.send(word, *what)

    def answer(self, value: Any) -> None:
        """Tell what came of the call; that it failed, if ``value`` is nothing that can be sent."""
        try:
            self.tell("done", value)
        except OSError:
            # The parent is gone.
            raise
        except Exception as error:
            # A message is made before the first byte of it is sent.
            self.tell("failed", True, described(error))

    def send(self, word: str, *what: Any) -> None:
        """Send one message, from any thread."""
        # A process that the code under test has forked and let return here is nobody the
        # parent knows: its messages would come between ours.
        if os.getpid() != self._pid:
            os._exit(1)
        with self._sending:
            self._talk.send((word, what))


def work(talk: Connection, leash: Connection, number: int) -> None:
    """The life of child ``number``."""
    # A session of its own: the terminal's Ctrl-C and its loss reach the parent alone, and
    # what the code under test starts can be ended with us.
    if hasattr(os, "setsid"):
        with suppress(OSError):
            os.setsid()
    # What the code under test prints must not come between what its parent writes to standard output.
    with suppress(OSError):
        os.dup2(2, 1)
    engine.spread(number)
    # OSError, EOFError: the parent has closed its end.
    with suppress(EOFError, OSError):
        goes_on = True
        while goes_on:
            call = talk.recv()
            here = call.last or not hasattr(os, "fork")
            goes_on = (_make_here if here else _make_in_fork)(call, talk, leash)


def _make_in_fork(call: Call, talk: Connection, leash: Connection) -> bool:
    """Make ``call`` in a process of its own, and wait for its end."""
    pid = os.fork()
    if pid == 0:
        with suppress(OSError):
            os.setpgid(0, 0)
        try:
            _make(call, talk, leash)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    talk.send((OVER, (os.waitstatus_to_exitcode(status),)))
    return True


def _make_here(call: Call, talk: Connection, leash: Connection) -> bool:
    """Make ``call``; whether another can be made."""
    stop = _make(call, talk, leash)
    talk.send((OVER, (0,)))
    return not stop.over and not call.last


def _make(call: Call, talk: Connection, leash: Connection) -> Stop:
    """Make ``call``, with the leash's thread beside it, and tell what came of it."""
    link = Link(talk)
    with link.stop.on_signals():
        # Ends whoever heeds nothing else; the wish to stop comes by the leash.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        threading.Thread(target=_obey, args=(leash, link), name="racebench-leash", daemon=True).start()
        link.tell(BEGUN, os.getpid())
        try:
            value = call.function(link, *call.args)
        except Exception as error:
            ours = is_ours(error)
            link.tell("failed", ours, described(error) if ours else str(error))
        else:
            link.answer(value)
    return link.stop


def _obey(leash: Connection, link: Link) -> None:
    """Read the leash: end the running call when it says so, and the process when it ends."""
    while True:
        try:
            why = leash.recv()
        except (EOFError, OSError):
            os._exit(1)
        # Where all stand is read before the interrupt moves them, and ``why`` is there
        # before the handler, which runs in the main thread, looks.
        if why:
            why = f"{why}: interrupted in {engine.where_main_is()}. Mend what never returns"
            with suppress(OSError):
                link.send(LATE, why, engine.dump_threads())
        link.stop.request(why)
        _interrupt_main()


def _interrupt_main() -> None:
    main = threading.main_thread()
    if hasattr(signal, "pthread_kill") and main.ident is not None:
        signal.pthread_kill(main.ident, signal.SIGINT)
    else:
        _thread.interrupt_main()
