"""A process that runs cells, or hammers beside those who do; the parent is ``workers``.

Two pipes: ``talk`` carries work down and news up; ``leash`` goes down only,
and is read by a thread of its own: a byte means stop, its end means that the
parent is gone.  Only the main thread reads and writes ``talk``, and never so
that an interrupt could cut a message in two.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .. import engine
from ..errors import is_ours, told
from ..findings import Result
from ..records import Cell, Earlier
from ..scenario.scenario import load_scenario
from ..scenario.selection import Choice, load_protocol
from .cell import Plan, hammer, run_cell
from .deadline import Deadline, interrupt_main
from .stop import Stop

_LOOK_S = 0.005
_SOON_S = 0.5


@dataclass(frozen=True)
class Place:
    """A cell as another process can find it again."""

    scenario: str
    path: str
    id: str
    spec: str

    @staticmethod
    def of(cell: Cell) -> Place:
        scenario, choice = cell.scenario, cell.choice
        return Place(scenario.name, str(scenario.path), choice.id, choice.spec)

    def cell(self) -> Cell:
        code: Any = load_protocol(self.spec).code if ":" in self.spec else self.spec
        scenario = replace(load_scenario(Path(self.path)), name=self.scenario)
        return Cell(scenario, Choice(self.id, self.spec, code))


@dataclass(frozen=True)
class Job:
    """Run a cell, which must be over by ``limit_s`` if that is not None."""

    place: Place
    seconds: float
    limit_s: float | None
    earlier: Earlier


@dataclass(frozen=True)
class Hammer:
    """Hammer a cell beside the one who runs it; it must be over by ``limit_s``."""

    place: Place
    seed: int
    seconds: float
    limit_s: float


def work(talk: Connection, leash: Connection, plan: Plan, number: int) -> None:
    """The process's whole life."""
    engine.spread(number)
    # Ctrl-C reaches us twice, from the terminal and by the leash: insisting is the parent's.
    stop = Stop(insist=1 << 30)
    thread = threading.Thread(target=_held_by, args=(leash, stop), daemon=True)
    thread.name = "leash"
    with stop.on_signals():
        # What ends a process that has been asked in vain must not be another wish.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        thread.start()
        line = _Line(talk, stop)
        while True:
            try:
                job = talk.recv()
            except (EOFError, OSError):
                return
            try:
                news = _do(job, plan, line, stop)
            except Exception as error:
                ours = is_ours(error)
                news = ("failed", ours, told(error) if ours else str(error))
            try:
                if news:
                    line.send(*news)
            except OSError:
                # The parent has closed its end: it is over for us all.
                return


def _do(job: Any, plan: Plan, line: _Line, stop: Stop) -> tuple[Any, ...]:
    """What came of one job.  What is none was meant for the one before."""
    if isinstance(job, Job):
        teller, hands = _Teller(line), _Hands(line)
        with Deadline(job.limit_s, stop):
            return "done", run_cell(job.place.cell(), plan, job.seconds, teller, stop, job.earlier, hands)
    if isinstance(job, Hammer):
        with Deadline(job.limit_s, stop):
            hammer(job.place.cell(), job.seed, job.seconds, stop, partial(line.send, "slice"))
        return ("hammered",)
    return ()


def _held_by(leash: Connection, stop: Stop) -> None:
    """Pulled, the leash says stop; once its other end is gone, so are we."""
    while True:
        try:
            leash.recv()
        except (EOFError, OSError):
            os._exit(1)
        stop.wish()
        interrupt_main()


class _Line:
    """``talk``, whole messages only."""

    def __init__(self, talk: Connection, stop: Stop) -> None:
        self._talk, self._stop = talk, stop
        self._look_at = 0.0

    def send(self, word: str, *what: Any) -> None:
        with self._stop.shielded():
            self._talk.send((word, what))

    def receive(self) -> tuple[str, tuple[Any, ...]]:
        """The next message, whenever it comes."""
        while not self._talk.poll(_SOON_S):
            pass
        with self._stop.shielded():
            word, what = self._talk.recv()
        return word, what

    def news(self) -> Sequence[tuple[str, tuple[Any, ...]]]:
        """What is there; asked at every step of a search, looks now and then."""
        now = time.perf_counter()
        if now < self._look_at:
            return ()
        self._look_at = now + _LOOK_S
        told = []
        while self._talk.poll():
            told.append(self.receive())
        return told


class _Teller:
    """Tells the parent what a cell tells."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def cell_started(self, *args: Any) -> None:
        self._line.send("cell_started", *args)

    def cell_progress(self, *args: Any) -> None:
        self._line.send("cell_progress", *args)

    def cell_so_far(self, *args: Any) -> None:
        self._line.send("cell_so_far", *args)

    def finding(self, *args: Any) -> None:
        self._line.send("finding", *args)


class _Hands:
    """Who helps this process with its cell."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    def hammered(self) -> list[Result]:
        return [what[0] for word, what in self._line.news() if word == "slice"]

    def gather(self) -> list[Result]:
        results: list[Result] = []
        self._line.send("gather")
        while True:
            word, what = self._line.receive()
            if word == "slice":
                results.append(what[0])
            elif word == "gathered":
                return results
