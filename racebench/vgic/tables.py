"""Tables of objects that only some scenarios use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class OnDemand(dict[int, T]):
    """A table whose entries are made on first use."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[int], T]) -> None:
        self._make = make

    def __missing__(self, key: int) -> T:
        # setdefault, because two threads may ask at once: both get one object.
        return self.setdefault(key, self._make(key))
