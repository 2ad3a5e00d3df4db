"""Threads that the program starts while it runs, under control.

Each has a task and an OS thread of its own, found by its name and kept from one
execution to the next.  Who starts one appends it to the floor's ``unstarted``: before
anybody makes another step it comes to its first, as all threads do when an execution
begins.  All of it is owned by whoever has the floor.
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
    """``tasks`` has all that any execution has met, by name; ``hire`` gives one an OS thread."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.tasks: dict[str, Task] = {}
        self.hire: Callable[[Task], None] = lambda task: None

    def enrol(self, thread: Thread) -> Task | None:
        """Name ``thread`` after the one that makes it, and as the how-manieth around its function."""
        s = self._floor
        me = s.caller(thread)
        who = "setup" if me is None else me.name
        key = who, Thread, thread.cls
        n = s.serials[key] = s.serials.get(key, 0) + 1
        thread.called = f"{who}.{thread.cls}-{n}"
        thread.runner = self.named(thread.called)
        return me

    def named(self, name: str) -> Task:
        """The task of the child ``name``, which may be one that no execution has met yet."""
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
        """Within the step that starts it: ``thread`` runs before the next step is chosen."""
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
        """End the run, whatever the program catches."""
        s = self._floor
        error = ProgramError(f"{s.program.name}: {why}")
        if s.current is None:
            raise error
        s.fail(s.current, error)
