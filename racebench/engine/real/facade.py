"""``threading.Thread`` in a program: the object stays, but a Thread of ours does its work.

Its class cannot be replaced, because other classes are derived from it.  So for the time of
a run its ``__init__``, ``start``, ``join`` and ``is_alive`` test who calls, as a stand-in does.
"""

from __future__ import annotations

import functools
import re
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...primitives import Thread, runtime
from ..osthreads import OURS

_GIVEN = re.compile(r"Thread-\d+(?: \((.*)\))?")
_OWN, _HASH = "_rb_thread", "_rb_hash"
_EXIT_JOINS = "concurrent.futures"
"""The package that joins its threads only when the interpreter ends: until then they may wait."""


def _called(thread: threading.Thread) -> str:
    """The name of a thread: one given to it, or that of its function or its class."""
    given = _GIVEN.fullmatch(thread.name)
    if given is None:
        return thread.name
    return given[1] or type(thread).__name__.lower()


def _own(thread: threading.Thread, by: str = "") -> Thread:
    """Our Thread that stands for ``thread``, which code of the module ``by`` starts."""
    own: Thread | None = vars(thread).get(_OWN)
    if own is None:
        waits = by.startswith(_EXIT_JOINS)
        own = Thread(target=thread.run, name=_called(thread), daemon=thread.daemon or waits)
        own.facade = thread
        own = vars(thread).setdefault(_OWN, own)
    return own


class Own:
    """One of the program's own threads, as ``threading.current_thread`` returns it."""

    def __init__(self, name: str, daemon: bool) -> None:
        self.name, self.daemon = name, daemon
        self.ident = self.native_id = threading.get_ident()

    def is_alive(self) -> bool:
        return True


class _Here(threading.local):
    own: Own | None = None


_here = _Here()
"""``_here.own`` is the object of the calling thread, the same one as long as the thread lives."""


def current_thread() -> Any:
    """The object by which the program knows the calling thread."""
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
    """The ``join`` of a thread whose run is over: there is no system thread to wait for."""


@contextmanager
def faced() -> Iterator[None]:
    """Run threads of ``threading`` that the program makes as our Threads."""
    cls: Any = threading.Thread
    real = {name: getattr(cls, name) for name in ("__init__", "start", "join", "is_alive")}
    started: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    def ours(self: threading.Thread) -> bool:
        return runtime.inside() and not self.name.startswith(OURS)

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
        if now is not None and now.runs_program():
            vars(self)[_HASH] = now.next_hash()
        real["__init__"](self, *args, **how)

    def hashed(self: threading.Thread) -> int:
        # A set of threads is iterated in the order of their hashes, so these must not be addresses, which
        # differ from one execution to the next.  The hash is set in ``__init__``, where it is known whether
        # the program makes the thread.  It must not depend on the caller: RaceBench's threads call this too.
        own: int | None = vars(self).get(_HASH)
        return object.__hash__(self) if own is None else own

    cls.__init__, cls.start, cls.join, cls.is_alive, cls.__hash__ = init, start, join, is_alive, hashed
    try:
        yield
    finally:
        for thread in list(started):
            # A package that joins all its threads when the interpreter ends has only these objects.
            if type(thread).join is join:
                vars(thread)["join"] = _has_ended
        cls.__init__, cls.start, cls.join, cls.is_alive = real.values()
        del cls.__hash__
