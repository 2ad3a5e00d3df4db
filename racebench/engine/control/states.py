"""The state of each execution: made by setup, or the last one put back to what setup made.

Setup makes the same in every execution, and for a machine of some size that costs
more than all the steps.  A program that has ``recycle`` puts back the little that its
threads have changed.

What ``recycle`` says is not merely believed: each State and primitive of setup's must
have the attributes that it had then, or the next state is made anew.  So one that
forgets something costs time, and not the proof.  Containers that fields have are not
compared: with such there is no recycling.
"""

from __future__ import annotations

from typing import Any

from .floor import Floor
from .holdings import Holdings


class States:
    """The states of one scheduler's executions; the controlling thread's, between executions.

    ``setting_up`` says that setup runs.
    """

    def __init__(self, floor: Floor, holdings: Holdings, recycles: bool) -> None:
        self._floor, self._holdings, self._recycles = floor, holdings, recycles
        self.setting_up = self._fit = False
        self._state: Any = None
        self._objects: list[Any] = []
        self._at_first: list[dict[str, Any]] = []
        self._given: Any = None

    def next(self) -> Any:
        """A state that no thread has touched, numbered as every one is."""
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
        """Only what is left by threads that all came to their ends is a ``recycle``'s to put back."""
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
            # A user's own comparison, of what is not the same object any more.
            return False


def _is_or_stands_for(first: dict[str, Any], obj: Any) -> bool:
    """Whether ``obj`` has what it had at first, but for what its class has for all, and it now for itself.

    That is kept in ``first``, for the next time.
    """
    for name, value in vars(obj).items():
        if name not in first and getattr(type(obj), name, _NOTHING) == value:
            first[name] = value
    return bool(vars(obj) == first)


_NOTHING = object()
