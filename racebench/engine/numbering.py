"""Numbers and names for what a program makes, the same in every execution."""

from __future__ import annotations

from typing import Any

from ..primitives import State


class Numbers:
    """Hears of each new object; ``current`` is the task that makes it, None in setup."""

    def __init__(self) -> None:
        self.current: Any = None
        self._serials: dict[Any, int] = {}
        self._ids: dict[str, int] = {}

    def caller(self, obj: Any) -> Any:
        """``current``; an engine that knows whose thread calls asks for that here."""
        return self.current

    def created(self, obj: Any) -> None:
        """Number ``obj``, and tell it from its likes: by creation order, per creating thread.

        The number is the same in every execution of a deterministic program.
        """
        current = self.caller(obj)
        who = "" if current is None else current.name
        ids = self._ids
        n = ids.get(who, 0)
        ids[who] = n + 1
        # Around what a class of the program's own does when an attribute is set.
        put: Any = object.__setattr__
        number = n if current is None else (who, n)
        if type(obj).__setattr__ is put:
            obj._rb_id = number
        else:
            put(obj, "_rb_id", number)
        key = (who, type(obj)) if isinstance(obj, State) else (who, obj.cls, obj.index)
        n = self._serials.get(key, 0) + 1
        self._serials[key] = n
        if current is not None:
            put(obj, "_rb_serial", f"@{who}#{n}")
        elif n > 1:
            put(obj, "_rb_serial", f"#{n}")
