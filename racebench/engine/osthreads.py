"""The engines' functions for threads of the operating system."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from ..errors import ProgramError, ThreadAbort
from ..trace import Site
from .instrument import site_of

OURS = "racebench-"
"""The prefix of the names of RaceBench's own threads."""

STALL_S = 5.0
"""Seconds without a step after which a thread counts as hung."""

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OWN = (
    os.path.join(_PACKAGE, "engine") + os.sep,
    os.path.join(_PACKAGE, "primitives") + os.sep,
    os.path.join(_PACKAGE, "findings", "__init__.py"),
    "<racebench",
)


class _Starting(threading.local):
    now = False


starting = _Starting()
"""Whether the calling thread starts one of ours: objects made for that are not the program's."""


def started(run: Callable[..., None], name: str, *args: Any) -> threading.Thread:
    """Start a daemon thread that calls ``run(*args)``; ProgramError if Python cannot start one."""
    starting.now = True
    try:
        thread = threading.Thread(target=run, args=args, name=OURS + name, daemon=True)
        thread.start()
    except RuntimeError as error:
        # threading.excepthook is None, say, or the process has too many threads.
        raise ProgramError(f"no thread can be started: {error}. A program must leave that to us.") from error
    finally:
        starting.now = False
    return thread


def is_ours(filename: str) -> bool:
    """Whether a frame belongs to RaceBench, and not to the code under test."""
    return filename.startswith(_OWN)


def is_engine(filename: str) -> bool:
    """Whether a frame belongs to code that makes steps; primitives outside a run make none."""
    return filename.startswith((_OWN[0], _OWN[-1]))


def caller_frame(depth: int = 1) -> FrameType | None:
    """The innermost frame of the calling thread that is not RaceBench's own."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def caller_site() -> Site:
    """The place in the code under test that called into RaceBench."""
    frame = caller_frame(2)
    return Site("?", "?", 0) if frame is None else site_of(frame.f_code, frame.f_lasti)


def stack_from(frame: FrameType | None) -> tuple[Site, ...]:
    """The sites of the code under test from ``frame`` outwards, innermost last."""
    return tuple(reversed([site_of(theirs.f_code, theirs.f_lasti) for theirs in _theirs(frame)]))


def innermost(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the code under test from ``frame`` outwards; None without one."""
    return next(_theirs(frame), None)


def _theirs(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames of the code under test from ``frame`` outwards."""
    for one in outwards(frame):
        if not is_ours(one.f_code.co_filename) and "threading.py" not in one.f_code.co_filename:
            yield one


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """``frame`` and its callers, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def frame_of(thread: threading.Thread | None) -> FrameType | None:
    """The innermost frame of ``thread`` now; None if it does not run."""
    return None if thread is None else sys._current_frames().get(thread.ident or 0)


def site_in(thread: threading.Thread | None) -> Site | None:
    """The present place of ``thread`` in the code under test; None if it is in none."""
    frame = innermost(frame_of(thread))
    return None if frame is None else site_of(frame.f_code, frame.f_lasti)


def interrupt(thread: threading.Thread) -> None:
    """Ask ``thread`` to unwind at its next bytecode.

    Helps against a loop; a thread inside a blocking C call stays there.
    """
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(ThreadAbort)
        )


def spare(thread: threading.Thread) -> None:
    """Withdraw the request of ``interrupt``, if ``thread`` has not got it yet."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), None)


def sleep_for_ever() -> NoReturn:
    """Block for ever, for a thread that ignores exceptions: it uses no CPU, and the process can still end."""
    gate = threading.Lock()
    while True:
        gate.acquire()


def take_lost_interrupts() -> None:
    """Clear interrupts in the interpreter whose threads ended before they got them.

    CPython 3.11 looks for the target of such an interrupt for ever, at each call in any
    thread, and a thread that is traced or profiled makes no progress.  It ends once some thread
    has received an exception of that kind.
    """
    with suppress(ThreadAbort):
        interrupt(threading.current_thread())
        while True:
            pass


@contextmanager
def switch_interval_restored() -> Iterator[None]:
    """Restore ``sys.setswitchinterval`` after the block."""
    before = sys.getswitchinterval()
    try:
        yield
    finally:
        sys.setswitchinterval(before)
