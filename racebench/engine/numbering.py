"""Numbers and names for the objects that a program makes, the same in every execution."""

from __future__ import annotations

from typing import Any

from ..primitives import State


class Numbers:
    """Numbers each new object; ``current`` is the task that makes it, None in setup.

    ``made`` has the objects made in setup, each at the index of its number.
    """

    __slots__ = ("_ids", "_unnamed", "current", "made", "serials")

    def __init__(self) -> None:
        self.current: Any = None
        self.made: list[Any] = []
        self.serials: dict[Any, int] = {}
        self._ids: dict[str, int] = {}
        self._unnamed: dict[Any, list[Any]] = {}

    def clear(self) -> None:
        """Forget all objects."""
        self.made.clear()
        self.serials.clear()
        self._ids.clear()
        self._unnamed.clear()

    def given(self) -> tuple[list[Any], dict[Any, int], dict[str, int]]:
        """A copy of the numbers given so far, for ``give_from``."""
        return list(self.made), dict(self.serials), dict(self._ids)

    def give_from(self, given: tuple[list[Any], dict[Any, int], dict[str, int]]) -> None:
        """Continue from the numbers ``given``; none have been given yet."""
        made, serials, ids = given
        self.made += made
        self.serials.update(serials)
        self._ids.update(ids)

    def caller(self, obj: Any) -> Any:
        """``current``; an engine that can ask which thread calls overrides this."""
        return self.current

    def created(self, obj: Any) -> None:
        """Number ``obj``, by creation order and per creating thread, to tell it from others of its name.

        The number is the same in every execution of a deterministic program.
        """
        current = self.caller(obj)
        who = "" if current is None else current.name
        ids, serials = self._ids, self.serials
        n = ids[who] = ids.get(who, -1) + 1
        # Written to ``__dict__``, to avoid a ``__setattr__`` of the program's own class.
        own = obj.__dict__
        own["_rb_id"] = n if current is None else (who, n)
        key = (who, type(obj)) if isinstance(obj, State) else (who, obj.cls, obj.index)
        n = serials[key] = serials.get(key, 0) + 1
        if current is None:
            self.made.append(obj)
            n = self._named_first(obj, key, n)
        if current is not None:
            own["_rb_serial"] = f"@{who}#{n}"
        elif n > 1:
            own["_rb_serial"] = f"#{n}"

    def _named_first(self, obj: Any, key: Any, n: int) -> int:
        """The number of ``obj``, made in setup as the ``n``-th object of its name.

        Objects that were given the name come before those that are called after their
        attribute, so they get the names that they would have without the others.  Nothing reads
        an object's name before setup is over.
        """
        if getattr(obj, "unnamed", False):
            self._unnamed.setdefault(key, []).append(obj)
        elif key in self._unnamed:
            # They have the numbers up to n - 1, in this order: the first of them moves to n.
            unnamed = self._unnamed[key]
            first = unnamed.pop(0)
            first.__dict__["_rb_serial"] = f"#{n}"
            unnamed.append(first)
            n -= len(unnamed)
        return n
