"""A thread that makes no steps: whether it computes or blocks, and in what.

The CPU time of a blocked thread does not grow, so ``Watch`` tells blocking from
computing after two seconds; without such a clock (mostly outside Linux)
both take the same time.  The frames of the standard library above the user's own
show in what it blocks, or else the call in the user's line.

Some calls end by themselves (a sleep, a wait with a timeout), and some wait for
something outside (a pool, a process, a socket).  Neither can be known to last for
ever: ``Place.ends`` says that nothing more can be concluded.
"""

from __future__ import annotations

import linecache
import os
import re
import threading
import time
from collections.abc import Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple

from ..trace import Site
from .instrument import line_of, site_of
from .osthreads import frame_of, is_ours, outwards
from .stuck import UNKNOWN_SITE

BLOCKED_S = 2.0
LOOK_S = 0.25
_STDLIB = os.path.dirname(os.path.abspath(threading.__file__)) + os.sep
_ENDS = re.compile(r"timeout|sleep|select|poll")
_OUTSIDE = ("concurrent.", "multiprocessing.", "subprocess", "socket", "ssl", "asyncio.", "select", "http.")
_LONGEST = 60
REMEDY = "Use racebench's own Lock, Condition, Semaphore or wait_until instead"


def own_clock() -> int | None:
    """The clock of the calling thread's CPU time, if there is one on this system.

    Only a thread itself may ask for it: for a thread that has ended the result is undefined.
    """
    if not hasattr(time, "pthread_getcpuclockid"):
        return None
    return time.pthread_getcpuclockid(threading.get_ident())


def processor_s(clock: int | None) -> float | None:
    """The time of ``clock``; None without one, or if its thread has ended."""
    if clock is None:
        return None
    try:
        return time.clock_gettime(clock)
    except OSError:
        return None


class Watch:
    """Looks at one thread again and again; a step of the thread changes ``mark``.

    Only the time between looks counts, in small pieces: while the process is stopped it does not look.
    """

    def __init__(self, stall_s: float) -> None:
        self._stall_s, self._blocked_s = stall_s, min(BLOCKED_S, stall_s)
        self._mark: Any = object()
        self._looked = 0.0
        self.begin(None, time.monotonic())

    def begin(self, mark: Any, now: float) -> None:
        self._mark, self._looked = mark, now
        self.without_steps = self.without_work = 0.0
        self._processor_s: float | None = None

    def look(self, clock: int | None, mark: Any) -> None:
        now = time.monotonic()
        if mark != self._mark:
            self.begin(mark, now)
            self._processor_s = processor_s(clock)
            return
        waited = min(now - self._looked, 2 * LOOK_S)
        self._looked = now
        self.without_steps += waited
        worked = processor_s(clock)
        if worked is None or worked != self._processor_s:
            self._processor_s = worked
            self.without_work = 0.0
        else:
            self.without_work += waited

    @property
    def blocks(self) -> bool:
        return self.without_work >= self._blocked_s

    @property
    def still(self) -> bool:
        return self.blocks or self.without_steps >= self._stall_s


class Place(NamedTuple):
    """The place of a thread that makes no steps: ``what`` it is in, called at ``site``."""

    what: str
    site: Site
    ends: bool

    def described(self, blocks: bool) -> str:
        how = "blocks" if blocks else "goes on without steps"
        return f"{how} in {self.what}, called in {self.site}"


def frames_of(thread: threading.Thread | None) -> list[FrameType]:
    """The frames of ``thread``, innermost first, as they were at one moment."""
    return list(outwards(frame_of(thread)))


def place_of(frames: Sequence[FrameType]) -> Place:
    """The place that the innermost ``frames`` show."""
    above: list[FrameType] = []
    for frame in frames:
        if not _is_pythons(frame.f_code.co_filename):
            break
        above.append(frame)
    theirs = [f for f in frames[len(above) :] if not is_ours(f.f_code.co_filename)]
    if not theirs:
        # No Python code of the user's: the thread's function itself is C code.
        return Place("what it runs", UNKNOWN_SITE, True)
    site = site_of(theirs[0].f_code, theirs[0].f_lasti)
    if above:
        outer, inner = _named(above[-1]), _named(above[0])
        what = outer if outer == inner else f"{outer} ({inner})"
        last = linecache.getline(above[0].f_code.co_filename, above[0].f_lineno or 0)
    else:
        outer = last = _call(theirs[0].f_code, theirs[0].f_lasti)
        what = f"`{outer}`"
        if theirs[0] is not frames[0]:
            what = f"{what} on a primitive that was not made in setup"
    return Place(what, site, bool(_ENDS.search(last)) or outer.startswith(_OUTSIDE))


def _is_pythons(filename: str) -> bool:
    return filename.startswith(_STDLIB) and "-packages" not in filename


def _named(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"


def _call(code: CodeType, lasti: int) -> str:
    """The source of the expression that is evaluated at ``lasti``, "" if there is none."""
    positions = list(code.co_positions())
    line, last_line, column, last_column = (
        positions[lasti // 2] if 0 <= lasti // 2 < len(positions) else (None,) * 4
    )
    text = linecache.getline(code.co_filename, line if line is not None else line_of(code, lasti))
    if line is None or line != last_line or column is None or last_column is None:
        text = text.strip()
    else:
        text = text.encode()[column:last_column].decode(errors="replace")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
