"""Numbers and names for what a program makes, the same in every execution."""

from __future__ import annotations

from typing import Any

from ..primitives import State


class Numbers:
    """Hears of each new object; ``current`` is the task that makes it, None in setup."""

    __slots__ = ("_ids", "current", "serials")

    def __init__(self) -> None:
        self.current: Any = None
        self.serials: dict[Any, int] = {}
        self._ids: dict[str, int] = {}

    def given(self) -> tuple[dict[Any, int], dict[str, int]]:
        """What was given so far, for ``give_from``."""
        return dict(self.serials), dict(self._ids)

    def give_from(self, given: tuple[dict[Any, int], dict[str, int]]) -> None:
        """Go on from what was ``given``; nothing is yet."""
        serials, ids = given
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
        if current is not None:
            own["_rb_serial"] = f"@{who}#{n}"
        elif n > 1:
            own["_rb_serial"] = f"#{n}"
