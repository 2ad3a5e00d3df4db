"""The state of every thread of this process: what it holds and wants, and its stack.

For the report of a run that does not end, so nothing here waits for a lock of
the run, and the data may be a step old.
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from ..primitives import runtime as installed
from .instrument import site_of
from .osthreads import outwards

_INNERMOST = 12
_OURS = str(Path(__file__).parents[1]) + os.sep


def dump_threads() -> str:
    """Each thread except the caller with its named locks and its stack, as text.

    Takes no lock.  Threads of a run in progress come first.
    """
    runtime: Any = installed.current
    members = getattr(runtime, "workers", None) or getattr(runtime, "tasks", None) or ()
    of_run = {m.thread.ident: m for m in members if m.thread is not None}
    names = {t.ident: t.name for t in threading.enumerate()}
    frames = sys._current_frames()
    blocks = []
    for ident in sorted(frames, key=lambda i: i not in of_run):
        if ident == threading.get_ident():
            continue
        member = of_run.get(ident)
        head = f"thread {names.get(ident, '?') if member is None else member.name}"
        locks = [] if member is None else [f"  {line}" for line in _locks(member)]
        blocks.append("\n".join([head, *locks, *_stack(frames[ident])]))
    return "\n\n".join(blocks)


def where_main_is() -> str:
    """The place in the function that RaceBench has called in the main thread; else a place in RaceBench."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    if frame is None:
        return "?"
    while not _ours(frame) and frame.f_back is not None and not _ours(frame.f_back):
        frame = frame.f_back
    return str(site_of(frame.f_code, frame.f_lasti))


def _stack(innermost: FrameType | None) -> list[str]:
    """The innermost frames, as in a traceback; without the ``traceback`` module, which is slow to load."""
    shown: list[str] = []
    for frame in islice(outwards(innermost), _INNERMOST):
        file, line = frame.f_code.co_filename, frame.f_lineno
        code = linecache.getline(file, line, frame.f_globals).strip()
        shown.append(
            f'  File "{file}", line {line}, in {frame.f_code.co_name}' + f"\n    {code}" * bool(code)
        )
    return shown[::-1]


def _ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OURS)


def _locks(member: Any) -> Iterator[str]:
    for lock, code, lasti in list(member.held):
        yield f"holds {lock.name}, taken in {site_of(code, lasti)}"
    obj = member.obj
    if obj is not None:
        yield f"wants {getattr(obj, 'name', None) or obj}"
