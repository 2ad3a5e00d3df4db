"""Cells spread over processes.

Each worker runs one cell at a time and tells what it finds as it finds it.
Only the parent stores.  A worker that crashes or is killed costs its cell,
not the findings, and is replaced.

When there are fewer cells left than workers, those without a cell are lent to
those that hammer one for a while, with seeds of their own.  The parent only
carries what they say to each other.  A search is one process's.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Protocol, Self

from .. import engine
from ..errors import HarnessBug, UsageError
from ..findings import Result
from ..records import Cell, Earlier
from .cell import CellResult, Plan, limit_s
from .child import Hammer, Job, Place, work
from .soak import Share
from .stop import Stop

_LOOK_S = 0.1
_GRACE_S = 1.5
_WORTH_HAMMERING_S = 0.5
_MOST_LOSSES = 5
_SILENCE_S = 30.0
_HAMMER_SLACK_S, _HAMMER_SILENCE_S = 10.0, 5.0
_LONGEST_LOOK_S = 1.0
_SAFE = "PYTHONSAFEPATH"


class Boss(Protocol):
    """Gives out cells and takes in what workers tell."""

    def share(self, left: int, jobs: int) -> float: ...

    def earlier(self, cell: Cell) -> Earlier: ...

    def cell_started(self, scenario: str, protocol: str, mode: str, seconds: float) -> None: ...

    def cell_progress(self, scenario: str, protocol: str, mode: str, progress: engine.Progress) -> None: ...

    def cell_so_far(self, cell: dict[str, Any]) -> None: ...

    def finding(self, finding: dict[str, Any]) -> None: ...

    def cell_done(self, result: CellResult) -> None: ...

    def cell_failed(self, cell: Cell, error: Exception) -> None: ...

    def cell_lost(self, cell: Cell, why: str) -> None: ...


class _Worker:
    """The parent's side of one process.

    ``cell`` is the one that it runs, in ``mode`` and until ``until``; ``owner`` is
    the worker that it is lent to, ``released`` says that it has been called back;
    ``given`` counts those lent to it so far, ``losses`` those of them that were
    lost.  By ``limit``, on the clock of ``Workers``, it has said that it is done,
    or is ended, and then ``silent``.
    """

    def __init__(self, plan: Plan, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.number = number
        self.talk, theirs = context.Pipe()
        leash_end, self.leash = context.Pipe(duplex=False)
        self.cell: Cell | None = None
        self.mode = ""
        self.until = 0.0
        self.limit: float | None = None
        self.silent = False
        self.owner: _Worker | None = None
        self.released = self.gathering = False
        self.given = self.losses = 0
        # No daemon: a program may start processes of its own.  All are ended when the block is over.
        self.process = context.Process(target=work, args=(theirs, leash_end, plan, number))
        with _nothing_from_here(), _ctrl_c_held_back():
            self.process.start()
        theirs.close()
        leash_end.close()
        # Who waits for us to read must not find us waiting for them to: another thread writes.
        self._outbox: SimpleQueue[Any] = SimpleQueue()
        threading.Thread(target=self._post, name=f"to worker {number}", daemon=True).start()

    @property
    def idle(self) -> bool:
        return self.cell is None and self.owner is None

    def give(self, cell: Cell, job: Job) -> None:
        self.cell, self.mode, self.given, self.losses = cell, "", 0, 0
        self.gathering = False
        self.send(job)

    def lend(self, owner: _Worker, job: Hammer) -> None:
        self.owner, self.released = owner, False
        owner.given += 1
        self.send(job)

    def send(self, what: Any) -> None:
        """``what``, some time; if the process is gone, that is noticed when it is listened to."""
        self._outbox.put(what)

    def _post(self) -> None:
        # TypeError: ``end`` closed the pipe while a message was going through it.
        with suppress(OSError, TypeError):
            while (what := self._outbox.get()) is not None:
                self.talk.send(what)

    def tell(self, word: str, *what: Any) -> None:
        self.send((word, what))

    def pull_leash(self) -> None:
        with suppress(OSError):
            self.leash.send(None)

    def end(self) -> None:
        self._outbox.put(None)
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
    """Up to ``jobs`` processes for the length of a ``with`` block; begins with one for each of ``cells``."""

    def __init__(self, jobs: int, cells: int, plan: Plan, boss: Boss, stop: Stop) -> None:
        self.jobs, self.plan, self.boss, self.stop = jobs, plan, boss, stop
        self._numbers = itertools.count()
        self._first = min(jobs, cells)
        self.workers: list[_Worker] = []
        self.waiting: deque[Cell] = deque()
        self._pulled = False
        # A clock that stops while we are stopped, by Ctrl-Z say: nobody was silent then.
        self._now, self._looked = 0.0, time.monotonic()

    def _worker(self) -> _Worker:
        return _Worker(self.plan, next(self._numbers))

    def __enter__(self) -> Self:
        try:
            while len(self.workers) < self._first:
                self.workers.append(self._worker())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        # It takes a second or two, and who is impatient would leave processes behind.
        with self.stop.deaf():
            for worker in self.workers:
                worker.pull_leash()
            for worker in self.workers:
                worker.end()

    def run(self, cells: Sequence[Cell]) -> None:
        """Run ``cells``; returns when all are done, or the running ones are after a stop."""
        self.waiting = deque(cells)
        for worker in self.workers:
            self._next(worker)
        while any(w.cell is not None for w in self.workers):
            if self.stop.asked and not self._pulled:
                self._pulled = True
                for worker in self.workers:
                    worker.pull_leash()
            ready = wait([w.talk for w in self.workers], timeout=_LOOK_S)
            for worker in list(self.workers):
                if worker.talk in ready:
                    self._hear(worker)
            self._end_the_silent()
            self._bury()
            self._lend()

    def _next(self, worker: _Worker) -> None:
        worker.cell = worker.limit = None
        if self.waiting and not self.stop.asked:
            seconds = self.boss.share(len(self.waiting), len(self.workers))
            cell = self.waiting.popleft()
            allowed = limit_s(self.plan, seconds)
            worker.give(cell, Job(Place.of(cell), seconds, allowed, self.boss.earlier(cell)))
            if allowed is not None:
                worker.limit = self._now + allowed + _SILENCE_S

    def _hear(self, worker: _Worker) -> None:
        try:
            word, what = worker.talk.recv()
        except (EOFError, OSError):
            self._gone(worker)
            return
        match word:
            case "done":
                self.boss.cell_done(*what)
                self._call_back(worker)
                self._next(worker)
            case "failed":
                self._failed(worker, *what)
            case "slice":
                self._slice(worker, *what)
            case "hammered":
                self._hammered(worker)
                self._next(worker)
            case "gather":
                worker.gathering, worker.mode = True, ""
                self._gathered(worker)
            case _:
                if word == "cell_started":
                    self._started(worker, *what)
                getattr(self.boss, word)(*what)

    # -- lending

    def _started(self, worker: _Worker, scenario: str, protocol: str, mode: str, seconds: float) -> None:
        worker.mode, worker.until = mode, time.monotonic() + seconds

    def _lend(self) -> None:
        """Whoever has nothing to do helps the one with the fewest helpers; one new process at a time."""
        while not self.waiting and not self.stop.asked:
            owners = [w for w in self.workers if w.cell is not None and self._wants_help(w)]
            if not owners:
                return
            owner = min(owners, key=lambda w: sum(other.owner is w for other in self.workers))
            helper = next((w for w in self.workers if w.idle), None)
            if helper is not None:
                self._lend_to(owner, helper)
                continue
            if len(self.workers) < self.jobs:
                self.workers.append(self._worker())
                self._lend_to(owner, self.workers[-1])
            return

    def _lend_to(self, owner: _Worker, helper: _Worker) -> None:
        assert owner.cell is not None
        share = Share(shard=owner.given + 1, shards=owner.given + 2)
        seconds = owner.until - time.monotonic()
        # Sooner over than its owner, who waits for it.
        allowed = seconds + _HAMMER_SLACK_S
        helper.lend(owner, Hammer(Place.of(owner.cell), share.seed(self.plan.seed), seconds, allowed))
        helper.limit = self._now + allowed + _HAMMER_SILENCE_S

    def _wants_help(self, worker: _Worker) -> bool:
        if worker.losses >= _MOST_LOSSES:
            return False
        return worker.mode == "stress" and worker.until - time.monotonic() > _WORTH_HAMMERING_S

    def _call_back(self, owner: _Worker) -> None:
        """The cell of ``owner`` is over: nobody reports to it any more."""
        owner.mode = ""
        for helper in self.workers:
            if helper.owner is owner and not helper.released:
                helper.released = True
                helper.limit = self._now + _SILENCE_S

    def _slice(self, helper: _Worker, result: Result) -> None:
        if helper.owner is not None and not helper.released:
            helper.owner.tell("slice", result)

    def _hammered(self, helper: _Worker) -> None:
        owner, helper.owner = helper.owner, None
        if owner is not None and not helper.released:
            self._gathered(owner)

    def _gathered(self, owner: _Worker) -> None:
        """Once nobody hammers for ``owner`` any more, it has all that came of it."""
        if owner.gathering and not any(w.owner is owner and not w.released for w in self.workers):
            owner.gathering = False
            owner.tell("gathered")

    # -- losses

    def _failed(self, worker: _Worker, ours: bool, text: str) -> None:
        """A job of ``worker`` came to nothing; its process goes on."""
        error = HarnessBug(text) if ours else UsageError(text)
        self._call_back(worker)
        if worker.cell is not None:
            self.boss.cell_failed(worker.cell, error)
        elif worker.owner is not None and not worker.released:
            worker.owner.losses += 1
            owner, worker.owner = worker.owner, None
            self._gathered(owner)
        worker.owner = None
        self._next(worker)

    def _bury(self) -> None:
        """A child that the code under test has left behind may hold the pipe of a process that is gone."""
        for worker in list(self.workers):
            if worker.process.exitcode is not None and not worker.talk.poll():
                self._gone(worker)

    def _end_the_silent(self) -> None:
        now = time.monotonic()
        self._now += min(now - self._looked, _LONGEST_LOOK_S)
        self._looked = now
        for worker in self.workers:
            if worker.limit is not None and self._now > worker.limit and not worker.silent:
                worker.silent = True
                worker.process.kill()

    def _gone(self, worker: _Worker) -> None:
        """The process of ``worker`` has ended by itself."""
        cell, owner = worker.cell, worker.owner
        worker.end()
        self.workers.remove(worker)
        self._call_back(worker)
        if owner is not None:
            owner.losses += 1
            self._gathered(owner)
        if cell is not None:
            self.boss.cell_lost(cell, _end_of(worker))
        if self.waiting and not self.stop.asked:
            fresh = self._worker()
            self.workers.append(fresh)
            self._next(fresh)


def _end_of(worker: _Worker) -> str:
    status = worker.process.exitcode
    if worker.silent:
        return "its process did not end when its time was up, nor when it was interrupted, and was killed"
    if status is not None and status < 0:
        with suppress(ValueError):
            return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with status {status}"
