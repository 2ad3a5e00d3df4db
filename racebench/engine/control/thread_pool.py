"""The OS threads that run the program's functions, one for each thread and interrupt.

A worker sleeps on its baton between executions, and has the floor from the release of the baton on.  An
execution ends with every worker asleep on its baton, whatever the program did, or the worker is
reported lost.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from threading import get_ident

from ...errors import ThreadAbort
from .. import osthreads
from ..stillness import own_clock
from ..stuck import error_fault, leak_fault
from . import interrupts
from .floor import Floor
from .lookout import Lookout
from .task import Task


class ThreadPool:
    """The workers of one scheduler; ``start`` and ``close`` are the controlling thread's."""

    def __init__(self, floor: Floor, lookout: Lookout) -> None:
        self._floor, self._lookout = floor, lookout
        self._closing = False

    def start(self) -> None:
        s = self._floor
        s.ours = frozenset((get_ident(),))
        for task in s.threads + s.interrupts:
            self.hire(task)

    def hire(self, task: Task) -> None:
        """Give ``task`` an OS thread; called by the floor holder."""
        s = self._floor
        task.thread = osthreads.started(self._work, task.name, task)
        task.ident = task.thread.ident or 0
        s.workers[task.ident] = task
        s.ours |= {task.ident}

    def close(self, stall_s: float) -> None:
        """End the workers; a worker that is lost ends when it comes back."""
        s = self._floor
        self._closing = True
        s.ours = frozenset()
        for task in s.tasks:
            task.baton.release()
            if task.thread is not None and task.name not in s.lost:
                task.thread.join(stall_s)

    def _work(self, task: Task) -> None:
        task.clock = own_clock()
        while True:
            # The overseer's interrupt may come late, to a thread that is out and has unwound.
            with suppress(ThreadAbort):
                while True:
                    task.baton.acquire()
                    if self._closing:
                        return
                    self._perform(task)

    def _perform(self, task: Task) -> None:
        """Run the part of ``task`` in an execution; it has the floor."""
        s = self._floor
        error = self._played(task)
        if task.ident != get_ident():
            with s.fork:
                out = task.out
            if out:
                task.back.release()
                return
        if task.aborted:
            error, s.too_deep = s.too_deep, None
            s.hangs += error is not None
        if error is not None:
            s.say(error_fault(task.name, error, len(s.log)), task)
            # Its traceback keeps all objects of the function alive.
            error = None
        self._finish(task)

    def _played(self, task: Task) -> BaseException | None:
        """Run the function of ``task``; return the exception that it raised, if any.

        It has a frame of its own: a thread that has passed the floor on must keep nothing of the execution.
        Otherwise the last reference to a pool, for example, would go in the middle of the next execution, and
        what its end causes would count as a step of that execution.
        """
        watch = self._lookout.watch
        try:
            if watch is None:
                self.play(task)
            else:
                watch(task, partial(self.play, task))
        except ThreadAbort:
            task.aborted = True
        except BaseException as raised:
            return raised
        return None

    def play(self, task: Task) -> None:
        """Run the function of ``task``; the frames above this one in a stack are the program's."""
        if task.onto is None:
            task.result = task.function(self._floor.outcome.state)
        else:
            interrupts.handle(self._floor, task)

    def _left(self, task: Task) -> None:
        """Handle the locks that ``task`` still holds at its end."""
        s = self._floor
        for lock, _, _ in tuple(task.held):
            if not getattr(lock, "strict", True):
                lock.left_by(task)
        if task.held and not task.aborted:
            s.say(leak_fault(task, len(s.log)), task)

    def _finish(self, task: Task) -> None:
        """End ``task`` and pass the floor on; the caller then sleeps on its baton."""
        s = self._floor
        if task.held:
            self._left(task)
        task.alive = task.ready = False
        task.obj = None
        if task.fresh:
            with suppress(ThreadAbort):
                s.ended_fresh(task)
        if not task.daemon and not s.unstarted:
            s.closing = False
            for one in s.tasks:
                if one.alive:
                    s.closing = one.daemon
                    if not one.daemon:
                        break
        if task.aborted and not (s.crashed and s.ghost):
            s.ending = True
        chosen = None
        if not s.ending:
            try:
                if s.watchers:
                    s.recheck()
                chosen = s.next(None)
            except ThreadAbort:
                s.ending = True
            except Exception as error:
                s.error, s.ending = error, True
        elif s.crashed and s.unstarted:
            # All threads start at once: a crash does not prevent what they do before their first step.
            chosen = s.unstarted.pop()
        # This thread uses the floor for the last time: the next holder runs in parallel from here on.
        if chosen is not None:
            s.give(chosen)
        else:
            s.current = None
            s.control.release()
