"""The state of each execution: made by setup, or the last one restored to what setup made.

Setup makes the same state in every execution, and for a large machine that costs more than all the
steps.  A program that has ``recycle`` restores the little that its threads have changed.

The result of ``recycle`` is checked: each State and primitive that setup made must have the attributes
that it had then, or the next state is made anew.  So a ``recycle`` that forgets something costs time,
but does not spoil the proof.  Containers in fields are not compared: if there are any, states are not
recycled.
"""

from __future__ import annotations

from typing import Any

from .floor import Floor
from .holdings import Holdings


class States:
    """The states of one scheduler's executions; the controlling thread's, between executions.

    ``setting_up``: setup runs now.
    """

    def __init__(self, floor: Floor, holdings: Holdings, recycles: bool) -> None:
        self._floor, self._holdings, self._recycles = floor, holdings, recycles
        self.setting_up = self._fit = False
        self._state: Any = None
        self._objects: list[Any] = []
        self._at_first: list[dict[str, Any]] = []
        self._given: Any = None

    def next(self) -> Any:
        """Return a state that no thread has touched, with its objects numbered as always."""
        if self._fit:
            self._fit = False
            if self._floor.program.recycled(self._state) and self._is_as_at_first():
                self._floor.give_from(self._given)
                return self._state
        self.setting_up = True
        try:
            self._state = self._floor.program.fresh()
        finally:
            self.setting_up = False
        self._holdings.setup_is_over()
        if self._recycles:
            self._given = self._floor.given()
            self._objects = list(self._floor.made)
            self._at_first = [dict(vars(obj)) for obj in self._objects]
        return self._state

    def execution_is_over(self) -> None:
        """Note whether ``recycle`` may restore the state: only if all threads came to their ends."""
        s = self._floor
        self._fit = (
            self._recycles
            and not (s.ending or s.crashed or s.lost or s.outcome.faults)
            and not self._holdings.has_containers
        )

    def _is_as_at_first(self) -> bool:
        try:
            if [obj.__dict__ for obj in self._objects] == self._at_first:
                return True
            return all(map(_is_or_stands_for, self._at_first, self._objects))
        except Exception:
            # A user's own comparison raised, for a value that is no longer the same object.
            return False


def _is_or_stands_for(first: dict[str, Any], obj: Any) -> bool:
    """Return whether ``obj`` has what it had at first.

    An attribute that it now has itself, with the value that its class has for all, is no difference; it is
    kept in ``first``, for the next time.
    """
    for name, value in vars(obj).items():
        if name not in first and getattr(type(obj), name, _NOTHING) == value:
            first[name] = value
    return bool(vars(obj) == first)


_NOTHING = object()
