"""The part of a thread's record that both engines have: the locks that it holds."""

from __future__ import annotations

from types import CodeType
from typing import Any

from .osthreads import caller_frame


class Member:
    """A thread of the program.  Only the thread itself, or the one that unwinds it, writes ``held``.

    ``held`` has the locks that it holds, outermost first, each with the code and
    instruction that took it.  ``waits_at`` is where it waits, if it has noted that itself.
    """

    __slots__ = ()

    held: list[tuple[Any, CodeType, int]]
    waits_at: tuple[CodeType, int] | None = None

    def hold(self, lock: Any) -> None:
        """Note that it has just taken ``lock``, in the code under test that called."""
        frame = caller_frame(2)
        if frame is not None:
            self.held.append((lock, frame.f_code, frame.f_lasti))

    def drop(self, lock: Any) -> None:
        """Remove the latest entry of ``lock`` from ``held``."""
        held = self.held
        if held and held[-1][0] is lock:
            held.pop()
            return
        for i in range(len(held) - 1, -1, -1):
            if held[i][0] is lock:
                del held[i]
                return
