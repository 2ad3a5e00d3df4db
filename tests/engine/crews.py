"""A crew without processes: helpers that take turns with the owner on its own threads.

Who moves when is drawn, so a seed is an interleaving of owner and helpers.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from typing import Any

from racebench.detect import detect
from racebench.engine.controlled import Scheduler
from racebench.engine.helping import Helper
from racebench.engine.parts import Explorer, Report


class _Line:
    """What one helper sends, as it would arrive: through pickle."""

    def __init__(self, crew: Crew, number: int) -> None:
        self.crew, self.number = crew, number

    def receive(self) -> tuple[str, Any]:
        raise AssertionError("nobody waits here")

    def news(self) -> Sequence[tuple[str, Any]]:
        return ()

    def report(self, report: Report) -> None:
        self.crew.inbox.append((self.number, pickle.loads(pickle.dumps(report))))


class _Hand:
    """One helper, execution by execution; it goes as ``Helper.explore`` does."""

    def __init__(self, crew: Crew, number: int, scheduler: Scheduler) -> None:
        self.helper = Helper(scheduler, _Line(crew, number), detect)
        self.explorer: Explorer | None = None
        self.report = Report()

    def hear(self, word: str, what: Any) -> None:
        if word == "part":
            self.explorer, self.report = self.helper._explorer(what), Report()
        elif self.explorer is not None and self.explorer.executions + self.explorer.redundant:
            # A helper hears after its executions: there is no report before the first.
            self.explorer.split()
            self._send()

    def step(self, send: bool) -> None:
        assert self.explorer is not None
        self.helper._execute(self.explorer, self.report)
        self.report.over = not self.explorer.advance()
        if send or self.report.over:
            self._send()

    def _send(self) -> None:
        assert self.explorer is not None
        over = self.report.over
        self.helper._send(self.explorer, self.report)
        self.report = Report()
        if over:
            self.explorer = None


class Crew:
    """``n`` helpers; ``lose`` of them are lost on the way, and others come in their place."""

    def __init__(self, n: int, seed: int, lose: int = 0) -> None:
        self.rng = random.Random(seed)
        self.inbox: list[tuple[int, Report | None]] = []
        self.hands: dict[int, _Hand] = {}
        self.n, self.lose, self.lost, self.parts = n, lose, 0, 0
        self.scheduler: Scheduler | None = None

    @property
    def helpers(self) -> Sequence[int]:
        return list(self.hands)

    def begin(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        for number in range(self.n):
            self._come(number)

    def _come(self, number: int) -> None:
        assert self.scheduler is not None
        self.hands[number] = _Hand(self, number, self.scheduler)
        self.inbox.append((number, None))

    def send(self, helper: int, word: str, what: Any) -> None:
        self.parts += word == "part"
        if helper in self.hands:
            self.hands[helper].hear(word, pickle.loads(pickle.dumps(what)))

    def wait(self, seconds: float) -> None:
        while not self.inbox and any(hand.explorer for hand in self.hands.values()):
            self._move()

    def _move(self) -> None:
        number = self.rng.choice([n for n, hand in self.hands.items() if hand.explorer])
        if self.lose and self.rng.random() < 0.2:
            self.lose -= 1
            self.lost += 1
            del self.hands[number]
            self.inbox = [(n, report) for n, report in self.inbox if n != number]
            self.inbox.append((number, None))
            self._come(max(self.n, number + 1))
            return
        self.hands[number].step(send=self.rng.random() < 0.3)

    def news(self) -> Sequence[tuple[int, Report | None]]:
        for _ in range(self.rng.randrange(4)):
            if any(hand.explorer for hand in self.hands.values()):
                self._move()
        told, self.inbox = self.inbox, []
        return told

    def close(self) -> None:
        self.hands.clear()
