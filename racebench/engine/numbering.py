"""Numbers and names for what a program makes, the same in every execution."""

from __future__ import annotations

from typing import Any

from ..primitives import State


class Numbers:
    """Hears of each new object; ``current`` is the task that makes it, None in setup.

    ``made`` has what no task has made, each at the place of its number.
    """

    __slots__ = ("_ids", "_unnamed", "current", "made", "serials")

    def __init__(self) -> None:
        self.current: Any = None
        self.made: list[Any] = []
        self.serials: dict[Any, int] = {}
        self._ids: dict[str, int] = {}
        self._unnamed: dict[Any, list[Any]] = {}

    def clear(self) -> None:
        """Nothing is made yet."""
        self.made.clear()
        self.serials.clear()
        self._ids.clear()
        self._unnamed.clear()

    def given(self) -> tuple[list[Any], dict[Any, int], dict[str, int]]:
        """What was made and given so far, for ``give_from``."""
        return list(self.made), dict(self.serials), dict(self._ids)

    def give_from(self, given: tuple[list[Any], dict[Any, int], dict[str, int]]) -> None:
        """Go on from what was ``given``; nothing is yet."""
        made, serials, ids = given
        self.made += made
        self.serials.update(serials)
        self._ids.update(ids)

    def caller(self, obj: Any) -> Any:
        """``current``; an engine that knows whose thread calls asks for that here."""
        return self.current

    def created(self, obj: Any) -> None:
        """Number ``obj``, and tell it from its likes: by creation order, per creating thread.

        The number is the same in every execution of a deterministic program.
        """
        current = self.caller(obj)
        who = "" if current is None else current.name
        ids, serials = self._ids, self.serials
        n = ids[who] = ids.get(who, -1) + 1
        # Around what a class of the program's own does when an attribute is set.
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
        """The number of ``obj``, made in setup as the ``n``-th that is called so.

        Those that were given the name come before those that are called after their
        attribute, so they are called as though there were no others.  Nobody sees
        what an object is called before setup is over.
        """
        if getattr(obj, "unnamed", False):
            self._unnamed.setdefault(key, []).append(obj)
        elif key in self._unnamed:
            # They have the numbers up to n - 1, in this order: the first of them makes room.
            unnamed = self._unnamed[key]
            first = unnamed.pop(0)
            first.__dict__["_rb_serial"] = f"#{n}"
            unnamed.append(first)
            n -= len(unnamed)
        return n
