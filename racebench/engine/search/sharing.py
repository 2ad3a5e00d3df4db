"""Which keys matter to more than one thread, by all steps that were seen so far."""

from __future__ import annotations

from typing import Any

ALL = -1
"""A user that is no single thread."""


class Sharing:
    """Who uses each key, and which keys are changed.

    A key that only one thread uses, or that none changes, is *quiet*: a step on it commutes with every step
    of every other thread.
    """

    def __init__(self) -> None:
        self._users: dict[Any, int] = {}
        self._changed: set[Any] = set()

    def use(self, user: int, key: Any, changes: bool) -> None:
        """Note that thread ``user``, or ALL, uses ``key``, and may change it."""
        if self._users.setdefault(key, user) != user:
            self._users[key] = ALL
        if changes:
            self._changed.add(key)

    def quiet(self, key: Any) -> bool:
        """Return whether ``key``, which was used, is quiet."""
        return self._users[key] != ALL or key not in self._changed
