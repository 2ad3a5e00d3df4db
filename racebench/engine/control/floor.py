"""The floor: what the rooms of the controlled engine need of the scheduler that owns it.

Exactly one thread has the floor at any time; all that is here belongs to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, NoReturn, Protocol

from ...program import Program
from ...trace import Op, Site
from ..stuck import Event
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


class Floor(Protocol):
    """A scheduler, as its parts see it."""

    program: Program
    tasks: list[Task]
    enabled: list[Task]
    watchers: list[Task]
    log: list[tuple[Task, Op, Any]]
    current: Task | None
    seeing: Task | None
    spy: list[tuple[Op, Any]] | None
    recorder: Recorder | None
    outcome: Any
    relation: Listener | None

    def caller(self, obj: Any = None) -> Task | None: ...

    def not_running(self, what: str) -> None: ...

    def unwinding(self, me: Task) -> None: ...

    def point(self, op: Op, obj: Any) -> None: ...

    def block_or_go(self, me: Task) -> None: ...

    def settle(self, obj: Any, me: Task) -> None: ...

    def see_sleepers(self) -> None: ...

    def refresh(self) -> None: ...

    def recheck(self) -> None: ...

    def fence(self) -> None: ...

    def say(self, event: Event, *tasks: Task) -> None: ...

    def fail(self, me: Task, error: BaseException) -> NoReturn: ...
