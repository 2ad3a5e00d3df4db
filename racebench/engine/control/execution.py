"""What one execution is given and gives: who chooses its steps, who listens to it, and its outcome."""

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
        """A new execution starts."""

    def pick(self, enabled: list[Task], current: Task | None) -> Any:
        """The task that makes the next step; called when there is a choice."""


class Listener(Protocol):
    """Hears what predicates look at, that a sleeper may wake unasked, that a thread asks for the time.

    ``grown`` once any of these is new to it.
    """

    grown: bool

    def look(self, predicate: Any, reads: Iterable[tuple[Op, Any]]) -> None: ...

    def rousable(self) -> None: ...

    def clocked(self) -> None: ...


class Outcome:
    """One finished execution: its log, faults, and what the check said.

    ``parts`` has the steps of each real execution in it, if it went on after a crash.
    ``unfair`` says who spun while others were kept waiting, if it ended only once all took turns.
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
