"""The runtime of one thread while no other thread runs: a wait there never ends."""

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
    """A ``Runtime``; a subclass says what happens on a wait and on a failed check."""

    numbers = False
    era = 0

    def __init__(self) -> None:
        self.types: dict[type, Any] = {}
        self.clock = _Clock()

    def hangs(self, what: str) -> NoReturn:
        """Handle a wait for ``what``, which nobody will provide."""
        raise NotImplementedError

    def substitute(self, cls: type) -> Any:
        self.types[cls] = cls
        return cls

    def created(self, obj: Any) -> None:
        """Nothing to do: objects are not numbered."""

    def enrol(self, thread: Any) -> None:
        """Nothing to do: threads need no names here."""

    def spawn(self, thread: Any) -> None:
        """Nothing to do: the new thread does not run."""

    def hand_over(self, what: str, value: Any) -> None:
        """Nothing to do: no other thread gets it."""

    def outlives(self, what: str) -> None:
        """Nothing to do: no state is restored."""

    def execution(self) -> None:
        """None: there is only one execution."""

    def without_numbers(self, make: Callable[[], Any]) -> Any:
        return make()

    def next_hash(self) -> int:
        return 0

    def running(self) -> None:
        """None: no thread of the program runs."""

    def runs_program(self) -> bool:
        return False

    def wait_until(self, predicate: Callable[[], Any]) -> None:
        if not predicate():
            self.hangs("its predicate")

    def irqs(self, on: bool | None) -> bool:
        """Always on: there are no interrupts."""
        return True

    def fence(self) -> None:
        """Nothing to do: no other thread reads."""

    def check_failed(self, rule: str, message: str) -> None:
        self.hangs(f"{rule}: {message}")
