"""A pool of child processes, which run the code under test.

A program that hangs, exits, closes descriptors or takes all memory costs the
call that it was in, and this process nothing.  How things end, one way each:

- Ctrl-C, SIGTERM and SIGHUP reach this process alone, because each child leads
  a session of its own.  The handler notes the request (stop.py); ``run`` sees it
  within ``_LOOK_S``, gives out no more jobs and cancels the running ones.
- A cancelled or late call gets a message through its child's leash: the main
  thread there is interrupted, the engine turns that into its result so far,
  and the call is done.  If that takes more than ``grace_s``, the child is killed.
- Such times do not pass while the machine is too busy to let the call run
  (meter.py), unless an outer watchdog goes by the clock; a call that waits for ever,
  or spins, is late all the same.
- A call whose process is killed, exits or crashes is lost; the messages that it
  sent before count.  A child that is gone is noticed by waiting for it, not by
  the end of its pipe, which a process that its program forked may keep open.
  Another child takes its place.
- The child itself may make the very last call, and exits with it.
- When this process is killed, the leashes end, and with them the children.

One thread does all of this, so nothing here needs a lock.  It sends a call only
to a child that waits for one and so reads; it never blocks in a read from a child
that has sent nothing.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self

from ..engine import places
from ..errors import HarnessBug, RaceBenchError, UsageError
from . import nursery
from .child import BEGUN, LATE, NO_END, NO_WORD, OVER, Call
from .meter import Meter
from .pipe import readable
from .stop import Stop

_LOOK_S = 0.1
_COUNT_S = 1.0
_LONGEST_LOOK_S = 1.0
GRACE_S = 10.0
_EXIT_S, _EXIT_LOOK_S = 1.5, 0.005


class Job(NamedTuple):
    """A call, the employer's key for it, and the seconds in which it must be over (None: no limit).

    ``renewed``: the seconds start anew with each message of the call.  A cancelled job is
    killed if it is not over ``grace_s`` later.  ``by_clock``: all seconds count, also those in
    which the machine keeps the call waiting, because somebody else's watchdog counts so too.
    """

    asker: Any
    call: Call
    limit_s: float | None = None
    grace_s: float = GRACE_S
    renewed: bool = False
    by_clock: bool = False


class Employer(Protocol):
    """Gives out jobs and handles their results; called in the thread that runs the pool."""

    def next_job(self, free: int) -> Job | None:
        """The next job, for one of ``free`` children; None if there is none now."""

    def on_message(self, job: Job, word: str, *what: Any) -> None:
        """Handle a message of a running job."""

    def done(self, job: Job, value: Any) -> None: ...

    def failed(self, job: Job, error: RaceBenchError) -> None:
        """Handle an exception of the job: HarnessBug if the fault is ours."""

    def lost(self, job: Job, why: str) -> None:
        """Handle the loss of the job's process."""


class _Child:
    """The parent's side of one child process.

    ``job`` is the running job, in the process group ``group``.  It has ``left`` seconds,
    measured by ``meter`` and last updated at ``counted`` on the pool's clock.  ``answered``: the
    child has sent the job's result.  ``cancelled``: it was told to end its job and then to exit.
    ``late``: it did not do so in the time ``left``; ``said`` then says where it was.
    ``garbled``: it has sent bytes that are no message.
    """

    def __init__(self, number: int) -> None:
        self.talk, self.leash, self.process = nursery.take(number)
        self.job: Job | None = None
        self.left: float | None = None
        self.counted = 0.0
        self.meter = Meter(self.process.pid or 0)
        self.group = 0
        self.answered = False
        self.cancelled = self.late = self.garbled = False
        self.said = ""

    def give(self, job: Job, now: float) -> None:
        self.job, self.answered, self.said = job, False, ""
        self.expect(job, now)
        # OSError: the child is gone.  ``ended`` will say so.
        with suppress(OSError):
            self.talk.send(job.call)

    def expect(self, job: Job, now: float) -> None:
        """Start the time limit of ``job`` at ``now``."""
        self._allow(job.limit_s, now)

    def _allow(self, seconds: float | None, now: float) -> None:
        self.left, self.counted = seconds, now
        if seconds is not None:
            self.meter = Meter(self.group or self.process.pid or 0)

    def is_over(self, now: float) -> bool:
        """Whether the job's time is over; ``left`` is updated about once in ``_COUNT_S``."""
        if self.left is None:
            return False
        elapsed = now - self.counted
        if elapsed >= min(self.left, _COUNT_S):
            by_clock = self.job is not None and self.job.by_clock
            self.left -= elapsed if by_clock else self.meter.lap(elapsed)
            self.counted = now
        return self.left <= 0

    def cancel(self, now: float, why: str = "") -> None:
        if not self.cancelled:
            self.cancelled, self.said = True, why
            self._allow(GRACE_S if self.job is None else self.job.grace_s, now)
            with suppress(OSError):
                self.leash.send(why)

    def ended(self) -> bool:
        """Whether the process has ended.  It is not reaped, so its number and its session's stay its own."""
        pid = self.process.pid
        # ChildProcessError: something else has reaped it, ``multiprocessing.active_children`` say.
        with suppress(ChildProcessError):
            if pid is not None and hasattr(os, "waitid"):
                return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self.process.exitcode is not None

    def end(self) -> None:
        """End the process: a busy one exits when its leash ends, and is killed if it does not.

        Processes that its program has started and left in its session are killed too.
        """
        self.leash.close()
        self.talk.close()
        # A child that only waits for a call has nothing to clean up.
        until = time.monotonic() + (0 if self.late or self.job is None else _EXIT_S)
        while not self.ended() and time.monotonic() < until:
            time.sleep(_EXIT_LOOK_S)
        self._kill_group(self.process.pid or 0)
        self.kill_rest()
        self.process.kill()
        self.process.join()

    def kill_rest(self) -> None:
        """Kill the processes that the last job's program has left; a group exists while it has a member."""
        group, self.group = self.group, 0
        self._kill_group(group)

    @staticmethod
    def _kill_group(leader: int) -> None:
        if leader and hasattr(os, "killpg"):
            with suppress(OSError):
                os.killpg(leader, signal.SIGKILL)

    def end_of(self, status: int | None) -> str:
        """Say how the process of the job ended, in words."""
        if self.late:
            return f"{self.said or 'it was cancelled'}; it went on, and its process was killed"
        if self.garbled:
            return "its process wrote into the pipe that RaceBench reads"
        if status is not None and status < 0:
            with suppress(ValueError):
                return f"its process was ended by {signal.Signals(-status).name}"
        return f"its process ended with status {status}"


class Pool:
    """Up to ``size`` child processes for the length of a ``with`` block; ``first`` of them start at once."""

    def __init__(self, size: int, stop: Stop, first: int = 1) -> None:
        self.size, self._stop, self._first = size, stop, min(first, size)
        self._started = 0
        self._children: list[_Child] = []
        # A clock that does not advance while this process is stopped (by Ctrl-Z, say): no child is late then.
        self._now, self._looked = 0.0, time.monotonic()

    def __enter__(self) -> Self:
        try:
            while len(self._children) < self._first:
                self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        children, self._children = self._children, []
        for child in children:
            child.cancel(self._now)
        for child in children:
            child.end()

    def run(self, employer: Employer, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Run jobs until there are none, or until a stop is requested and the running jobs have ended.

        ``meanwhile`` is called once the first jobs have been given out.
        An exception raised in here, by ``employer`` say, ends the running jobs too.
        """
        try:
            self._work(employer, meanwhile)
        except BaseException:
            for child in self._busy():
                child.late = True
                self._dismiss(child)
            raise

    def _work(self, employer: Employer, meanwhile: Callable[[], None]) -> None:
        given = False
        while True:
            self._tick()
            if self._stop.asked:
                for child in self._busy():
                    child.cancel(self._now)
            else:
                self._hire(employer)
            if not self._busy():
                return
            if not given:
                given = True
                meanwhile()
            ready = set(readable([c.talk for c in self._children], _LOOK_S))
            for child in list(self._children):
                if child.talk in ready:
                    self._hear(child, employer)
                elif child.late or (child.ended() and not child.talk.poll()):
                    self._lose(child, employer)

    def call(self, call: Call, hear: Any = None, limit_s: float | None = None) -> Any:
        """Make ``call`` in a child and return its value; ``hear(word, *what)`` gets its messages.

        The call must send a message at least every ``limit_s`` seconds.

        Raises what the call raised: UsageError, or HarnessBug if the fault is ours; UsageError if
        its process is lost.
        """
        one = _One(Job(None, call, limit_s, renewed=True), hear)
        self.run(one)
        if one.error is not None:
            raise one.error
        return one.value

    def _start(self) -> _Child:
        # Other processes may have pools too (xdist's workers, say), each counting from its own place:
        # if all children were numbered from 0, they would share one processor.
        child = _Child(places.place() + self._started)
        self._started += 1
        self._children.append(child)
        return child

    def _busy(self) -> list[_Child]:
        return [child for child in self._children if child.job is not None]

    def _hire(self, employer: Employer) -> None:
        """Give a job to each child that is free, and to new ones while there may be more."""
        while (free := self.size - len(self._busy())) > 0:
            job = employer.next_job(free)
            if job is None:
                return
            idle = next((c for c in self._children if c.job is None and c.process.exitcode is None), None)
            (idle or self._start()).give(job, self._now)

    def _tick(self) -> None:
        now = time.monotonic()
        self._now += min(now - self._looked, _LONGEST_LOOK_S)
        self._looked = now
        for child in self._busy():
            if not child.is_over(self._now):
                continue
            if child.cancelled:
                child.late = True
            else:
                assert child.job is not None
                what = NO_WORD if child.job.renewed else NO_END
                child.cancel(self._now, f"{what} {child.job.limit_s:.3g} s")

    def _hear(self, child: _Child, employer: Employer) -> None:
        job = child.job
        try:
            word, what = child.talk.recv()
        except Exception as error:
            # The end of the pipe, or bytes that are no message: a program may write into any descriptor.
            child.garbled = not isinstance(error, EOFError | OSError)
            self._lose(child, employer)
            return
        assert job is not None
        if word == BEGUN:
            [child.group] = what
            # Until now the meter measured the child, which only waits for the process of the call.
            child.meter = Meter(child.group)
        elif word == "done":
            child.answered = True
            employer.done(job, *what)
        elif word == "failed":
            child.answered = True
            ours, text = what
            employer.failed(job, HarnessBug(text) if ours else UsageError(text))
        elif word == OVER:
            self._over(child)
            if not child.answered:
                employer.lost(job, child.end_of(*what))
        else:
            if word == LATE:
                child.said = what[0]
            elif job.renewed and not child.cancelled:
                child.expect(job, self._now)
            employer.on_message(job, word, *what)

    def _over(self, child: _Child) -> None:
        """The process of the child's job has ended: the child is free, or exits after its last call."""
        ends = child.cancelled or (child.job is not None and child.job.call.last)
        child.job = child.left = None
        child.kill_rest()
        if ends:
            self._dismiss(child)

    def _lose(self, child: _Child, employer: Employer) -> None:
        self._dismiss(child)
        if child.job is not None and not child.answered:
            employer.lost(child.job, child.end_of(child.process.exitcode))

    def _dismiss(self, child: _Child) -> None:
        self._children.remove(child)
        child.end()


class _One:
    """An employer with a single job."""

    def __init__(self, job: Job, hear: Any) -> None:
        self._job: Job | None = job
        self._hear = hear
        self.value: Any = None
        self.error: RaceBenchError | None = None

    def next_job(self, free: int) -> Job | None:
        job, self._job = self._job, None
        return job

    def on_message(self, job: Job, word: str, *what: Any) -> None:
        if self._hear is not None and word != LATE:
            self._hear(word, *what)

    def done(self, job: Job, value: Any) -> None:
        self.value = value

    def failed(self, job: Job, error: RaceBenchError) -> None:
        self.error = error

    def lost(self, job: Job, why: str) -> None:
        self.error = UsageError(f"the code under test is gone: {why}")
