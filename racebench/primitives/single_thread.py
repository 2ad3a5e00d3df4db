"""The runtime of one thread while nobody else runs: what would wait never ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn


class _Clock:
    def __init__(self) -> None:
        self._now = 0.0

    def sleep(self, seconds: float) -> None:
        self._now += seconds

    def now(self) -> float:
        return self._now


class SingleThread:
    """A ``Runtime``; a subclass says what becomes of who would wait, and of a check that fails."""

    numbers = False
    era = 0

    def __init__(self) -> None:
        self.types: dict[type, Any] = {}
        self.clock = _Clock()

    def hangs(self, what: str) -> NoReturn:
        """Nobody will give it ``what`` it waits for."""
        raise NotImplementedError

    def substitute(self, cls: type) -> Any:
        self.types[cls] = cls
        return cls

    def created(self, obj: Any) -> None:
        """Nobody asks."""

    def enrol(self, thread: Any) -> None:
        """Nobody tells it from others."""

    def spawn(self, thread: Any) -> None:
        """It does not run."""

    def hand_over(self, what: str, value: Any) -> None:
        """Nobody is there to get it."""

    def outlives(self, what: str) -> None:
        """Nothing is put back."""

    def execution(self) -> None:
        """There is one."""

    def without_numbers(self, make: Callable[[], Any]) -> Any:
        return make()

    def next_hash(self) -> int:
        return 0

    def running(self) -> None:
        """No thread runs."""

    def runs_program(self) -> bool:
        return False

    def wait_until(self, predicate: Callable[[], Any]) -> None:
        if not predicate():
            self.hangs("its predicate")

    def irqs(self, on: bool | None) -> bool:
        """Nothing interrupts it."""
        return True

    def fence(self) -> None:
        """Nobody else looks."""

    def check_failed(self, rule: str, message: str) -> None:
        self.hangs(f"{rule}: {message}")
