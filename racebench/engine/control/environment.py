"""What threads have in common outside the program's objects: files, the environment, sockets, processes.

The walk over the program's objects does not reach them, and no step announces their use.  They are
used through functions written in C, of a few modules; so in the executions of which pictures are taken
each thread is profiled for calls of those functions.  Two threads that make such calls may communicate
by them, and it is not known which calls only read: then there is no proof.  If only one thread makes
such calls, they are its own.

Not counted are imports, output to a log or to standard output or error, and functions that always
return the same, as ``getpid``.  Not noticed: a call that those executions do not reach, and what C code
does by itself, as ``for line in file`` with a file that was opened before.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from ..instrument import site_of
from ..osthreads import is_ours
from .objects import is_library

_MODULES = frozenset(
    (
        *("posix", "nt", "io", "_io", "_socket", "socket", "select", "_posixsubprocess", "_winapi", "fcntl"),
        *("mmap", "_posixshmem", "_multiprocessing", "_locale", "locale", "signal", "_signal", "resource"),
        *("sqlite3", "_sqlite3", "_ssl", "ssl", "msvcrt", "termios", "_dbm", "_gdbm", "readline", "syslog"),
    )
)
_OF_SYS = frozenset(("setrecursionlimit", "getrecursionlimit", "setswitchinterval", "getswitchinterval"))
_SAY_THE_SAME = frozenset(
    (
        *("fspath", "getpid", "getppid", "urandom", "cpu_count", "isatty", "uname", "strerror", "times"),
        "get_terminal_size",
    )
)
_NOT_THE_PROGRAMS = ("importlib", "logging", "linecache", "tokenize", "traceback", "warnings")
_IN_MEMORY = (io.StringIO, io.BytesIO)


class Environment:
    """The calls of the threads of one execution.

    Each thread writes only its own entry, and one thread runs at a time.
    """

    def __init__(self) -> None:
        self._by: dict[str, str] = {}

    def called(self, thread: str, frame: FrameType, function: Any) -> None:
        """Note that ``thread`` calls ``function``, which is written in C."""
        if thread not in self._by and _is_outside(function):
            place = _place(frame)
            if place is not None:
                self._by[thread] = f"{function.__name__} in {place}"

    def sentences(self) -> list[str]:
        if len(self._by) < 2:
            return []
        calls = " and ".join(f"{thread} calls {what}" for thread, what in sorted(self._by.items()))
        return [
            f"{calls}: RaceBench does not see what threads tell one another by files, the environment, "
            "sockets, processes or settings of the interpreter. Put a field of a State in its place"
        ]


class Clocks:
    """Notes whether code reads the time."""

    asked = False

    def look(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and _module_of(called) in ("time", "datetime"):
            self.asked = True


def _hooked(get: Callable[[], Any], put: Callable[[Any], None], hook: Any, call: Callable[[], Any]) -> None:
    """Run ``call()`` with ``hook`` set in this thread, then restore the previous hook."""
    before = get()
    put(hook)
    try:
        call()
    finally:
        put(before)


profiled = partial(_hooked, sys.getprofile, sys.setprofile)
traced = partial(_hooked, sys.gettrace, sys.settrace)


def _is_outside(called: Any) -> bool:
    module, name = _module_of(called), getattr(called, "__name__", "")
    if module == "sys":
        return name in _OF_SYS
    if module not in _MODULES or name in _SAY_THE_SAME:
        return False
    of = getattr(called, "__self__", None)
    return not (isinstance(of, _IN_MEMORY) or of in (sys.stdout, sys.stderr) or called in _IN_MEMORY)


def _module_of(called: Any) -> str:
    """Return the module of a function written in C, or of the class whose method it is."""
    module = getattr(called, "__module__", None)
    if module is None:
        of = getattr(called, "__self__", None)
        module = (of if isinstance(of, type) else type(of)).__module__
    return module if type(module) is str else ""


def _place(frame: FrameType) -> str | None:
    """Return the place in the program's code that caused the call; None if other code did."""
    at: FrameType | None = frame
    while at is not None and is_library(at.f_code):
        if str(at.f_globals.get("__name__")).partition(".")[0] in _NOT_THE_PROGRAMS:
            return None
        at = at.f_back
    if at is None or is_ours(at.f_code.co_filename):
        return None
    return str(site_of(at.f_code, at.f_lasti))
