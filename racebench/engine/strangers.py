"""Strangers: threads that are not the program's, but make its steps.

A step belongs to the thread that makes it.  A thread that a pool, a timer or setup has
started is neither held back nor chosen by the scheduler: if its steps counted as steps of
the thread that has the floor, they would get into schedules that nobody can replay.  So
each step compares the calling thread with the expected one.

Guarantees: a stranger writes nothing of the run, not even without the GIL: its first
step is recorded under a lock of its own, and it is unwound.
The run ends with a ProgramError, raised by the thread that controls it.
"""

from __future__ import annotations

import re
import sys
import threading
from typing import Any, NoReturn

from ..errors import ProgramError
from ..trace import Kind, Op, object_name
from .osthreads import OURS, caller_site, is_ours

_DOES = {"__enter__": "acquire", "__exit__": "release", "created": "make", "check_failed": "check_that"}
_FIELD = re.compile(r"<racebench field (.*)>")
_REMEDY = "RaceBench neither sees nor holds back such a thread: start it as one of the program's threads"


class Strangers:
    """Records the first step of a thread that is not the program's."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._control = threading.get_ident()
        self._mutex = threading.Lock()
        self._said = ""
        # Threads that existed before the run cannot wait for anything in this run.
        self._before = {thread.ident for thread in threading.enumerate()}

    def caught(self, what: str) -> NoReturn:
        """Record that the calling thread made the step ``what``, and unwind it."""
        name, site = _name(), caller_site()
        who = f"{self._program}: the thread {name!r}, which is none of the program's,"
        said = f"{who} makes the step `{what}` in {site}. {_REMEDY}."
        with self._mutex:
            self._said = self._said or said
        if threading.get_ident() in (self._control, threading.main_thread().ident):
            raise ProgramError(said)
        # The only exception with which a thread ends silently.
        raise SystemExit(said)

    def check(self) -> None:
        """ProgramError if there was a stranger; for the thread that controls the run."""
        with self._mutex:
            said = self._said
        if said:
            raise ProgramError(said)

    def alive(self) -> list[str]:
        """The names of threads that started since the run began, without its own."""
        return [
            thread.name
            for thread in threading.enumerate()
            if thread.ident not in self._before and not thread.name.startswith(OURS)
        ]


def impure(what: str) -> ProgramError:
    """The error about a predicate that does more than read."""
    return ProgramError(
        f"the predicate of a wait_until makes the step {what}. It must only read: take the lock, or write, "
        "after the wait, or use a Condition"
    )


def step_name(op: Op, obj: Any) -> str:
    """``write Counter.x``, as in schedules; a user's label may raise anything."""
    try:
        return f"{op.kind.value} {object_name(op, obj)}"
    except Exception:
        return f"{op.kind.value} {type(obj).__name__}"


def called() -> str:
    """The operation that the calling code asked for, from RaceBench's outermost frame on its stack."""
    frame, last = sys._getframe(1), None
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame, last = frame.f_back, frame  # type: ignore[assignment]
    if last is None:
        return "?"
    name, obj = last.f_code.co_name, last.f_locals.get("self")
    field = _FIELD.fullmatch(last.f_code.co_filename)
    if field is not None:
        return step_name(Op(Kind.READ if name == "get" else Kind.WRITE, field[1]), obj)
    return _does(name, obj)


def call_name(obj: Any, depth: int) -> str:
    """``acquire lock``: the method of ``obj`` that is ``depth`` calls above, in the same form."""
    return _does(sys._getframe(depth).f_code.co_name, obj)


def _does(method: str, obj: Any) -> str:
    does = _DOES.get(method, method)
    if obj is None:
        return does
    try:
        return f"{does} {obj.label()}"
    except Exception:
        return f"{does} {type(obj).__name__}"


def _name() -> str:
    """The name of the calling thread; ``current_thread`` would invent one for an unknown thread."""
    me = threading.get_ident()
    known = [thread.name for thread in threading.enumerate() if thread.ident == me]
    return known[0] if known else f"thread {me}"
