"""Atomic values."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from ..values import ATOMS, leaves
from .ops import LOAD, SAVE, UPDATE
from .primitive import Primitive

_SIMPLE = (bool, int, float, str, bytes)


def _checked(value: Any) -> Any:
    if type(value) not in ATOMS:
        for one in leaves(value):
            raise UsageError(
                f"an atomic value cannot hold a {type(one).__name__}, which can change in place. "
                "Put it into a field of a State, or a number, a tuple or a State in its place."
            )
    return value


class Atomic(Primitive):
    """A value that is read, written or both in one step, like C11's ``atomic_`` and Linux's ``atomic_t``.

    It has no data race, and orders threads: a read comes after the write of the value.
    Unlike a ``load``, an operation that changes it is a full fence for delayed fields.
    UsageError for a value that can change in place, because nobody would see that change.
    """

    kind = "atomic"

    def __init__(self, value: Any = 0, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(cls, index)
        self._rb_value = _checked(value)

    def load(self) -> Any:
        return self._step(LOAD, lambda me, _: self._rb_value)

    def store(self, value: Any) -> None:
        self._step(SAVE, self._exchange, _checked(value))

    def exchange(self, value: Any) -> Any:
        """Store ``value``; return the old value."""
        return self._step(UPDATE, self._exchange, _checked(value))

    def compare_exchange(self, old: Any, new: Any) -> bool:
        """Store ``new`` if the value is ``old``: the same object, or an equal number, string or bytes."""
        return bool(self._step(UPDATE, self._compare_exchange, (old, _checked(new))))

    def fetch_add(self, n: Any = 1) -> Any:
        """Add ``n``; return the value before."""
        return self._step(UPDATE, self._fetch_add, n)

    # -- the machine

    def _exchange(self, me: Any, value: Any) -> Any:
        old, self._rb_value = self._rb_value, value
        return old

    def _compare_exchange(self, me: Any, arg: tuple[Any, Any]) -> bool:
        old, new = arg
        now = self._rb_value
        # No user-defined ``__eq__`` runs here, because it might make steps inside this step.
        if now is not old and not (type(now) in _SIMPLE and type(old) in _SIMPLE and now == old):
            return False
        self._rb_value = new
        return True

    def _fetch_add(self, me: Any, n: Any) -> Any:
        return self._exchange(me, self._rb_value + n)
