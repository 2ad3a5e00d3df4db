"""Threads that the program starts while it runs, under control.

Each has a task and an OS thread of its own, found by its name and kept from one execution to the
next.  The thread that starts another appends it to the floor's ``unstarted``: the new thread runs to
its first step before any thread makes another step, as all threads do when an execution begins.  All
of this belongs to the thread that has the floor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from ...errors import ProgramError
from ...primitives import Thread
from .floor import Floor
from .task import Task

_MOST = 1_000


class Children:
    """The started threads; ``tasks`` has all executions' by name; ``hire`` gives a task an OS thread."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.tasks: dict[str, Task] = {}
        self.hire: Callable[[Task], None] = lambda task: None

    def enrol(self, thread: Thread) -> Task | None:
        """Name ``thread`` after the thread that makes it, its function and a running number."""
        s = self._floor
        me = s.caller(thread)
        who = "setup" if me is None else me.name
        key = who, Thread, thread.cls
        n = s.serials[key] = s.serials.get(key, 0) + 1
        thread.called = f"{who}.{thread.cls}-{n}"
        thread.runner = self.named(thread.called)
        return me

    def named(self, name: str) -> Task:
        """Return the task of the child ``name``; make it if no execution has had it yet."""
        task = self.tasks.get(name)
        if task is None:
            s = self._floor
            if len(self.tasks) >= _MOST:
                self._refuse(f"more than {_MOST:,} threads are made while it runs. Make fewer.")
            task = self.tasks[name] = Task(len(s.tasks), name, None, child=True)
            s.tasks.append(task)
            s.acquaint()
        return task

    def spawn(self, thread: Thread) -> None:
        """Start ``thread`` within the current step; it runs before the next step is chosen."""
        s, task = self._floor, thread.runner
        if s.draining is not None:
            self._refuse(
                f"{thread.called} is started while a program with delayed fields runs. Make what it runs one "
                "of the program's threads."
            )
        if s.current is None and s.log:
            self._refuse(f"the check starts {thread.called}, and nobody would run it.")
        task.function, task.daemon, task.alive = (lambda state: thread.perform()), thread.daemon, True
        task.runs = thread
        if task.thread is None:
            self.hire(task)
        s.born(task)

    def _refuse(self, why: str) -> NoReturn:
        """End the run with an error, whatever exceptions the program catches."""
        s = self._floor
        error = ProgramError(f"{s.program.name}: {why}")
        if s.current is None:
            raise error
        s.fail(s.current, error)
