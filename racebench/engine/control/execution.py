"""What one execution gets and returns: the chooser of its steps, its listener, and its outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ...findings import Broken
from ...trace import Op
from ..stuck import Fault
from .task import Task


class Chooser(Protocol):
    """Decides who runs; see ``strategies/``."""

    def begin(self) -> None:
        """Start a new execution."""

    def pick(self, enabled: list[Task], current: Task | None) -> Any:
        """Return the task that makes the next step; called when there is a choice."""


class Listener(Protocol):
    """Is informed of what predicates read, of sleepers that may wake spuriously, of reading the time."""

    def look(self, predicate: Any, reads: Iterable[tuple[Op, Any]]) -> None: ...

    def rousable(self) -> None: ...

    def clocked(self) -> None: ...


class Outcome:
    """One finished execution: its log, its faults and the result of the check.

    ``parts`` has the steps of each real execution in it, if it went on after a crash.
    ``unfair`` says which thread spun while others had to wait, if the execution ended only after all threads
    took turns.
    """

    __slots__ = ("before", "broken", "faults", "log", "parts", "results", "state", "unfair")

    def __init__(self) -> None:
        self.log: list[tuple[Task, Op, Any]] = []
        self.faults: list[Fault] = []
        self.broken: tuple[Broken, ...] = ()
        self.results: dict[str, Any] = {}
        self.before: Any = None
        self.state: Any = None
        self.parts: list[list[int]] | None = None
        self.unfair = ""
