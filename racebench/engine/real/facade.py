"""``threading.Thread`` in a program: the object stays, what it does is a Thread of ours.

Its class cannot be replaced, since others are derived from it.  So for the time of a run
its ``__init__``, ``start``, ``join`` and ``is_alive`` ask who calls, as a stand-in does.
"""

from __future__ import annotations

import functools
import re
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ...primitives import Thread, runtime
from ..osthreads import OURS

_GIVEN = re.compile(r"Thread-\d+(?: \((.*)\))?")
_OWN, _HASH = "_rb_thread", "_rb_hash"
_EXIT_JOINS = "concurrent.futures"
"""Who joins the threads that it started when the interpreter ends: until then they may wait."""


def _called(thread: threading.Thread) -> str:
    """What a thread is called after: a name of its own, its function, or its class."""
    given = _GIVEN.fullmatch(thread.name)
    if given is None:
        return thread.name
    return given[1] or type(thread).__name__.lower()


def _own(thread: threading.Thread, by: str = "") -> Thread:
    """Our thread in the place of ``thread``, which the module ``by`` starts."""
    own: Thread | None = vars(thread).get(_OWN)
    if own is None:
        waits = by.startswith(_EXIT_JOINS)
        own = Thread(target=thread.run, name=_called(thread), daemon=thread.daemon or waits)
        own.facade = thread
        own = vars(thread).setdefault(_OWN, own)
    return own


class Own:
    """One of the program's own threads, as ``threading.current_thread`` has it."""

    def __init__(self, name: str, daemon: bool) -> None:
        self.name, self.daemon = name, daemon
        self.ident = self.native_id = threading.get_ident()

    def is_alive(self) -> bool:
        return True


class _Here(threading.local):
    own: Own | None = None


_here = _Here()
"""``_here.own`` is the calling thread's, which is one and the same as long as it lives."""


def current_thread() -> Any:
    """The object that the program knows the calling thread by."""
    now = runtime.current
    own = None if now is None else now.running()
    if own is None:
        return _REAL_CURRENT()
    if isinstance(own, Thread):
        return own if own.facade is None else own.facade
    if _here.own is None:
        _here.own = Own(own.name, own.daemon)
    return _here.own


_REAL_CURRENT = threading.current_thread


def _has_ended(timeout: float | None = None) -> None:
    """The ``join`` of a thread whose run is over: it has none in the system that could be waited for."""


@contextmanager
def faced(inside: Callable[[], bool]) -> Iterator[None]:
    """Have the threads of ``threading`` that the program makes be ours."""
    cls: Any = threading.Thread
    real = {name: getattr(cls, name) for name in ("__init__", "start", "join", "is_alive")}
    started: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    def ours(self: threading.Thread) -> bool:
        return inside() and not self.name.startswith(OURS)

    def start(self: threading.Thread) -> None:
        if ours(self):
            own = _own(self, str(sys._getframe(1).f_globals.get("__name__")))
            now: Any = runtime.current
            for given in list(vars(self).values()):
                now.hand_over(f"an argument of {own.label()}", given)
            own.start()
            started.add(self)
        else:
            real["start"](self)

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        _own(self).join(timeout) if ours(self) else real["join"](self, timeout)

    def is_alive(self: threading.Thread) -> bool:
        return bool(_own(self).is_alive() if ours(self) else real["is_alive"](self))

    @functools.wraps(real["__init__"])
    def init(self: threading.Thread, *args: Any, **how: Any) -> None:
        now = runtime.current
        if now is not None and inside():
            vars(self)[_HASH] = now.next_hash()
        real["__init__"](self, *args, **how)

    def hashed(self: threading.Thread) -> int:
        # A set of threads is gone through in the order of their hashes: not of addresses, which
        # differ from one execution to the next.  Given when it is made, by whom that is known;
        # a hash must be the same for whoever asks, and one of our own asks for its own as it starts.
        own: int | None = vars(self).get(_HASH)
        return object.__hash__(self) if own is None else own

    cls.__init__, cls.start, cls.join, cls.is_alive, cls.__hash__ = init, start, join, is_alive, hashed
    try:
        yield
    finally:
        for thread in list(started):
            # Who joins all threads of his when the interpreter ends knows only of these.
            if type(thread).join is join:
                vars(thread)["join"] = _has_ended
        cls.__init__, cls.start, cls.join, cls.is_alive = real.values()
        del cls.__hash__
