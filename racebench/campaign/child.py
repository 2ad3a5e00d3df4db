"""A child process: it makes the calls that its parent, a pool, sends it.

Where there is fork, each call is made in a fork of the child, which has all
modules loaded and only one thread: whatever a program does to its process ends
with the call.  Without fork the child makes the call itself.  It does so too
with the very last call, which can harm no later one; this saves a fork.

There are two pipes.  ``talk`` carries calls down and messages up; only the process
that makes the call writes to it.  ``leash`` goes down only, and a thread of its own
reads it during a call: a message says that the call has to end, and why; the end of
the pipe says that the parent is gone.  A call that was told to end is the child's
last one.
"""

from __future__ import annotations

import _thread
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from ..engine.places import spread
from ..errors import described, is_ours
from .pipe import Connection
from .stop import Stop

NO_END, NO_WORD = "no end within", "no progress within"
BEGUN, LATE, OVER = "begun", "late", "over"
"""Messages.  BEGUN (pid): the process with this number makes the call.  LATE (why, stacks): the call is
late.  OVER (status): the process of the call has ended, whether or not it has sent a result."""


class Call(NamedTuple):
    """``function(link, *args)`` in a child; both are pickled, so the function belongs to a module.

    ``last``: the child makes no other call after this one.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    last: bool = False


class Link:
    """The side of a call that talks to the parent: sends messages, and knows whether the call has to end."""

    def __init__(self, talk: Connection) -> None:
        self._talk, self._pid = talk, os.getpid()
        # Taken by the main thread, and by the leash's thread, which sends all stacks when the time is up.
        self._sending = threading.Lock()
        self.stop = Stop()

    def tell(self, word: str, *what: Any) -> None:
        """Send one whole message; an interrupt is held back until it is sent.  Main thread only."""
        with self.stop.shielded():
            self.send(word, *what)

    def answer(self, value: Any) -> None:
        """Send the call's result, or that the call failed if ``value`` cannot be pickled."""
        try:
            self.tell("done", value)
        except OSError:
            # The parent is gone.
            raise
        except Exception as error:
            # A message is pickled before its first byte is sent, so nothing of this one was sent.
            self.tell("failed", True, described(error))

    def send(self, word: str, *what: Any) -> None:
        """Send one message, from any thread."""
        # The code under test may fork and let its child return to here.  The parent does not
        # know that process, and its messages would come between ours.
        if os.getpid() != self._pid:
            os._exit(1)
        with self._sending:
            self._talk.send((word, what))


def work(talk: Connection, leash: Connection, number: int, load: Callable[[], None]) -> None:
    """Run child ``number`` until the parent closes its pipe or no call can follow.

    ``load`` imports what only some calls need; it is called before calls are forked.
    """
    # A session of its own: the terminal's Ctrl-C and its loss reach the parent alone, and
    # what the code under test starts can be ended with us.
    if hasattr(os, "setsid"):
        with suppress(OSError):
            os.setsid()
    # Output of the code under test must not mix with what the parent writes to standard output.
    with suppress(OSError):
        os.dup2(2, 1)
    spread(number)
    # OSError, EOFError: the parent has closed its end.
    with suppress(EOFError, OSError):
        goes_on = True
        while goes_on:
            call = talk.recv()
            here = call.last or not hasattr(os, "fork")
            if not here:
                load()
            goes_on = (_make_here if here else _make_in_fork)(call, talk, leash)


def _make_in_fork(call: Call, talk: Connection, leash: Connection) -> bool:
    """Make ``call`` in a forked process, and wait until that ends."""
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
    """Make ``call`` in this process; return whether it can make another one."""
    stop = _make(call, talk, leash)
    talk.send((OVER, (0,)))
    return not stop.over and not call.last


def _make(call: Call, talk: Connection, leash: Connection) -> Stop:
    """Make ``call`` beside the leash's thread, and send its result."""
    link = Link(talk)
    with link.stop.on_signals():
        # SIGTERM ends a process that ignores all else; a request to stop comes through the leash.
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
    """Read the leash: end the running call when a message comes, and the process when the pipe ends."""
    # It is loaded already; the parent, which imports this module too, does without it.
    from ..engine.thread_dump import dump_threads, where_main_is

    while True:
        try:
            why = leash.recv()
        except (EOFError, OSError):
            os._exit(1)
        # The stacks are read before the interrupt changes them, and ``why`` is set before
        # the signal handler, which runs in the main thread, reads it.
        if why:
            why = f"{why}: interrupted in {where_main_is()}. Mend what never returns"
            with suppress(OSError):
                link.send(LATE, why, dump_threads())
        link.stop.request(why)
        _interrupt_main()


def _interrupt_main() -> None:
    main = threading.main_thread()
    if hasattr(signal, "pthread_kill") and main.ident is not None:
        signal.pthread_kill(main.ident, signal.SIGINT)
    else:
        _thread.interrupt_main()
