"""Cells spread over processes.

Each worker runs one cell at a time and tells what it finds as it finds it.
Only the parent stores.  A worker that crashes or is killed costs its cell,
not the findings, and is replaced.

Two pipes a worker: ``talk`` carries cells down and news up; ``leash`` goes
down only, and is read by a thread of the worker's: a byte means stop, its end
means that the parent is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from . import engine
from .cell import CellResult, Plan, run_cell
from .errors import HarnessBug, RaceBenchError, UsageError
from .records import Cell
from .scenario import load_scenario
from .selection import Choice, load_protocol
from .stop import Stop

_LOOK_S = 0.1
_GRACE_S = 1.5
_SAFE = "PYTHONSAFEPATH"


class Boss(Protocol):
    """Gives out cells and takes in what workers tell."""

    def share(self, left: int, jobs: int) -> float: ...

    def earlier(self, cell: Cell) -> list[dict[str, Any]]: ...

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None: ...

    def finding(self, finding: dict[str, Any]) -> None: ...

    def cell_done(self, result: CellResult) -> None: ...

    def cell_lost(self, cell: Cell, why: str) -> None: ...


@dataclass(frozen=True)
class Job:
    """A cell as another process can find it again."""

    scenario: str
    path: str
    id: str
    spec: str
    seconds: float
    earlier: list[dict[str, Any]]


class _Worker:
    """The parent's side of one process."""

    def __init__(self, plan: Plan) -> None:
        context = multiprocessing.get_context("spawn")
        self.talk, theirs = context.Pipe()
        leash_end, self.leash = context.Pipe(duplex=False)
        self.cell: Cell | None = None
        self.process = context.Process(target=_work, args=(theirs, leash_end, plan), daemon=True)
        with _nothing_from_here(), _ctrl_c_held_back():
            self.process.start()
        theirs.close()
        leash_end.close()

    def give(self, cell: Cell, seconds: float, earlier: list[dict[str, Any]]) -> None:
        self.cell = cell
        scenario, choice = cell.scenario, cell.choice
        self.talk.send(Job(scenario.name, str(scenario.path), choice.id, choice.spec, seconds, earlier))

    def pull_leash(self) -> None:
        with suppress(OSError):
            self.leash.send(None)

    def end(self) -> None:
        self.talk.close()
        self.leash.close()
        self.process.join(_GRACE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@contextmanager
def _nothing_from_here() -> Iterator[None]:
    """A process started in here imports nothing from the current folder.

    It begins as ``python -c``, which looks there first: a pickle.py that lies
    beside somebody's scenarios would run.  Costs a Python that a user's program
    starts in a worker its own look there.
    """
    before = os.environ.get(_SAFE)
    os.environ[_SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE]
        else:
            os.environ[_SAFE] = before


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """A process started in here begins with SIGINT blocked, until it can handle it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Starting the tracker unblocks SIGINT (CPython before 3.12), so it must run already.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Workers:
    """``jobs`` processes for the length of a ``with`` block."""

    def __init__(self, jobs: int, plan: Plan, boss: Boss, stop: Stop) -> None:
        self.plan, self.boss, self.stop = plan, boss, stop
        self.workers = [_Worker(plan) for _ in range(jobs)]
        self.waiting: deque[Cell] = deque()
        self._pulled = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.pull_leash()
        for worker in self.workers:
            worker.end()

    def run(self, cells: Sequence[Cell]) -> None:
        """Run ``cells``; returns when all are done, or the running ones are after a stop."""
        self.waiting = deque(cells)
        for worker in self.workers:
            self._next(worker)
        while busy := [w for w in self.workers if w.cell is not None]:
            if self.stop.asked and not self._pulled:
                self._pulled = True
                for worker in busy:
                    worker.pull_leash()
            ready = wait([w.talk for w in busy], timeout=_LOOK_S)
            for worker in busy:
                if worker.talk in ready:
                    self._hear(worker)

    def _next(self, worker: _Worker) -> None:
        worker.cell = None
        if self.waiting and not self.stop.asked:
            seconds = self.boss.share(len(self.waiting), len(self.workers))
            cell = self.waiting.popleft()
            worker.give(cell, seconds, self.boss.earlier(cell))

    def _hear(self, worker: _Worker) -> None:
        try:
            word, args = worker.talk.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if word == "done":
            self.boss.cell_done(*args)
            self._next(worker)
        elif word == "failed":
            ours, text = args
            raise HarnessBug(text) if ours else UsageError(text)
        else:
            getattr(self.boss, word)(*args)

    def _replace(self, worker: _Worker) -> None:
        cell = worker.cell
        worker.end()
        if cell is not None:
            self.boss.cell_lost(cell, f"its process ended with status {worker.process.exitcode}")
        if self.stop.asked or not self.waiting:
            worker.cell = None
            return
        fresh = _Worker(self.plan)
        self.workers[self.workers.index(worker)] = fresh
        self._next(fresh)


# -- in the worker


def _work(talk: Connection, leash: Connection, plan: Plan) -> None:
    """A worker's whole life."""
    # Ctrl-C reaches us twice, from the terminal and by the leash: insisting is the parent's.
    stop = Stop(insist=1 << 30)
    thread = threading.Thread(target=_held_by, args=(leash, threading.main_thread()), daemon=True)
    thread.name = "leash"
    with stop.on_signals():
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        thread.start()
        teller = _Teller(talk)
        while True:
            try:
                job = talk.recv()
            except (EOFError, OSError):
                return
            try:
                news: tuple[str, Any] = ("done", (_run(job, plan, teller, stop),))
            except RaceBenchError as error:
                news = ("failed", (isinstance(error, HarnessBug), str(error)))
            except Exception as error:
                news = ("failed", (True, f"{type(error).__name__}: {error}"))
            talk.send(news)


def _run(job: Job, plan: Plan, teller: _Teller, stop: Stop) -> CellResult:
    code: Any = load_protocol(job.spec).code if ":" in job.spec else job.spec
    scenario = replace(load_scenario(Path(job.path)), name=job.scenario)
    cell = Cell(scenario, Choice(job.id, job.spec, code))
    return run_cell(cell, plan, job.seconds, teller, stop, job.earlier)


def _held_by(leash: Connection, main: threading.Thread) -> None:
    try:
        leash.recv()
    except (EOFError, OSError):
        os._exit(1)
    if hasattr(signal, "pthread_kill") and main.ident is not None:
        signal.pthread_kill(main.ident, signal.SIGINT)
    else:
        import _thread

        _thread.interrupt_main()


class _Teller:
    """Sends what a cell tells to the parent."""

    def __init__(self, talk: Connection) -> None:
        self._talk = talk

    def cell_started(self, *args: Any) -> None:
        self._talk.send(("cell_started", args))

    def cell_progress(self, *args: Any) -> None:
        self._talk.send(("cell_progress", args))

    def finding(self, *args: Any) -> None:
        self._talk.send(("finding", args))
