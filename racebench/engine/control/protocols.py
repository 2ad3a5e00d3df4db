"""Whom the floor asks and tells: the strategy, the recorder of a replay, the listener of a search.

All of them are called by the thread that has the floor.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from ...trace import Op, Site
from .task import Task


class Chooser(Protocol):
    """Decides who runs; see ``strategies/``."""

    def begin(self) -> None:
        """A new execution starts."""

    def pick(self, enabled: list[Task], current: Task | None) -> Any:
        """The task that makes the next step; called when there is a choice."""


class Recorder(Protocol):
    """Looks at each step of a detailed replay, just before it is performed."""

    def step(self, task: Task, op: Op, obj: Any) -> None: ...

    def stored(self, places: deque[tuple[Site, ...]], value: Any) -> None: ...

    def blocked(self, task: Task) -> None: ...

    def end(self) -> None: ...


class Listener(Protocol):
    """Hears what predicates look at, and who may wake unasked; ``grown`` once that is new to it."""

    grown: bool

    def look(self, predicate: Any, reads: Iterable[tuple[Op, Any]]) -> None: ...

    def rousable(self) -> None: ...
