"""Which thread holds which lock at each step of an execution."""

from __future__ import annotations

from typing import Any

from ..trace import Kind

SHARED, EXCLUSIVE = False, True

_TAKES = {Kind.ACQUIRE, Kind.TRY_ACQUIRE}
_GIVES = {Kind.RELEASE, Kind.WAIT}

Holding = tuple[tuple[Any, int, bool], ...]
"""Locks held by one thread, outermost first: (lock, step that took it, mode)."""


class Locksets:
    """Follows lock operations; a failed trylock and a misplaced release change nothing.

    ``of[i]`` are the locks of thread ``i``: a tuple that is replaced, never changed.
    Owners are kept by the id of the lock, which its execution keeps alive.
    """

    def __init__(self, threads: int) -> None:
        self.of: list[Holding] = [()] * threads
        self._owner: dict[int, list[int]] = {}

    def apply(self, n: int, i: int, kind: Kind, obj: Any) -> int:
        """Process step ``n``; return 1 if thread ``i`` now holds ``obj``, -1 if no longer, else 0.

        A WAIT gives up the condition's lock.
        """
        if kind in _TAKES:
            return self._take(n, i, kind, obj)
        if kind in _GIVES:
            return self._give(i, obj.lock if kind is Kind.WAIT else obj, kind is Kind.WAIT)
        if kind is Kind.ACQUIRE_READ or kind is Kind.ACQUIRE_WRITE:
            mode = EXCLUSIVE if kind is Kind.ACQUIRE_WRITE else SHARED
            self.of[i] = (*self.of[i], (obj, n, mode))
            return 1
        if kind is Kind.RELEASE_READ or kind is Kind.RELEASE_WRITE:
            return self._drop(i, obj)
        return 0

    def _take(self, n: int, i: int, kind: Kind, lock: Any) -> int:
        owner = self._owner.get(id(lock))
        if owner is None:
            self._owner[id(lock)] = [i, 1]
            self.of[i] = (*self.of[i], (lock, n, EXCLUSIVE))
            return 1
        if owner[0] == i and (kind is Kind.ACQUIRE or getattr(lock, "recursive", False)):
            # A trylock on a non-recursive lock that the thread itself holds takes nothing.
            owner[1] += 1
        return 0

    def _give(self, i: int, lock: Any, wholly: bool) -> int:
        owner = self._owner.get(id(lock))
        anybody = not getattr(lock, "strict", True)
        if owner is None:
            # Setup may have taken the lock, for a thread to release it.
            return -1 if anybody else 0
        if owner[0] != i and not anybody:
            return 0
        owner[1] -= 1
        if owner[1] and not wholly:
            return 0
        del self._owner[id(lock)]
        return self._drop(owner[0], lock)

    def _drop(self, i: int, lock: Any) -> int:
        held = self.of[i]
        for k in range(len(held) - 1, -1, -1):
            if held[k][0] is lock:
                self.of[i] = held[:k] + held[k + 1 :]
                return -1
        return 0
