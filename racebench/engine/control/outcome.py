"""What one execution came to."""

from __future__ import annotations

from typing import Any

from ...findings import Broken
from ...trace import Op
from ..stuck import Event
from .task import Task


class Outcome:
    """One finished execution: its log, events, and what the check said.

    ``parts`` has the steps of each real execution in it, if it went on after a crash.
    ``unfair`` says who spun while others were kept waiting, if it ended only once all took turns.
    """

    __slots__ = ("before", "broken", "events", "log", "parts", "results", "state", "unfair")

    def __init__(self) -> None:
        self.unfair = ""
        self.log: list[tuple[Task, Op, Any]] = []
        self.events: list[Event] = []
        self.broken: tuple[Broken, ...] = ()
        self.results: dict[str, Any] = {}
        self.before: Any = None
        self.state: Any = None
        self.parts: list[list[int]] | None = None
