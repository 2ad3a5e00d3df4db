"""How the threads of an execution come to their first steps.

All threads start at once: each offers its first step before any of them makes one.  Running every
thread to that point costs one hand-over per thread.  But nothing that an execution can change
influences what comes before the first step, so the first offer is the same each time.  From the
second execution on the known offer stands in for a thread, which is then called *fresh*; the thread
itself is woken once its first step is chosen.  It must then make the very same offer.

An offer is kept only if it is always possible, or takes a mutex, whose state says whether it is
possible; and only if it is on an object that setup made, which has the same number in each execution.
And only if no change without a step was seen: otherwise code before the first step would read such
a value later than it should.
"""

from __future__ import annotations

from typing import Any

from ...errors import ProgramError, ThreadAbort
from ...primitives import Lock
from ...primitives.ops import ACQUIRE, LOCKED, TRY_ACQUIRE
from ...trace import Op
from .asking import Asking
from .task import Task

_ON_LOCKS = ACQUIRE, TRY_ACQUIRE, LOCKED


class Beginning(Asking):
    """The part of the floor that brings threads to their first steps; the floor holder's."""

    __slots__ = ()

    threads: list[Task]

    def start(self, limit: int, known: bool) -> Task:
        """Return the first thread to run, which has the floor from now on.

        The execution may have ``limit`` steps.  ``known``: threads whose first offer is known need not run up
        to it.  The last thread always does, since it is the one that would have run last.
        """
        self.limit = limit
        threads, unstarted = self.threads, self.unstarted
        if known:
            coming = [task for task in threads[:-1] if task.first is None or not self._stands(task)]
            coming.append(threads[-1])
        else:
            coming = threads[:]
        # The threads that setup has started come last.
        coming += unstarted
        first, self.unstarted = coming[0], coming[:0:-1]
        self.pick = self._first_pick
        self.many = True
        self.current = first
        return first

    def born(self, task: Task) -> None:
        """Let ``task``, just started, run to its first step before any other thread makes a step."""
        self.unstarted.append(task)
        if self.current is not None:
            self.starter = self.current
            self.ask_again()
            self.pick, self.many = self._first_pick, True

    def _first_pick(self, enabled: list[Task], current: Task | None) -> Task:
        """Start the next thread, until each of them has made its first offer."""
        if self.unstarted:
            return self.unstarted.pop()
        if self.ending:
            raise ThreadAbort
        if not self.log:
            self._learn()
        self.pick = self.asked()
        self.refresh()
        if self.starter is not None:
            # The starter made the last step.
            current, self.starter = self.starter if self.starter.ready else None, None
        return self.pick(self.enabled, current) if self.many else self.enabled[0]

    # -- fresh threads

    def _learn(self) -> None:
        """Keep each thread's first offer: all have made it, and no thread has made a step."""
        for task in self.threads:
            if task.first is None and task.alive and not task.varies:
                op, obj = task.op, task.obj
                on_lock = op in _ON_LOCKS and isinstance(obj, Lock)
                if on_lock or (op.is_field and not op.apart):
                    n = obj._rb_id
                    if self._numbered(n) is obj:
                        task.first = op, n

    def _stands(self, task: Task) -> bool:
        """Let the known first offer of ``task`` stand in for it; return whether it can."""
        assert task.first is not None
        op, n = task.first
        obj = self._numbered(n)
        if obj is None:
            return False
        task.op, task.obj = op, obj
        task.ready = op.is_field or obj.ready_for(task)
        task.fresh = True
        return True

    def _numbered(self, n: Any) -> Any:
        """Return the object that setup made with number ``n``; None if there is none."""
        return self.made[n] if type(n) is int and n < len(self.made) else None

    def arrived(self, me: Task, op: Op, obj: Any) -> bool:
        """Note the first offer of a fresh thread; return whether it is the one that was predicted."""
        me.fresh = False
        self.free, self.waiting = self.waiting, 0
        if me.first is not None and me.first[0] is op and self._numbered(me.first[1]) is obj:
            return True
        self.ask_again()
        self._differs(me)
        return False

    def ended_fresh(self, me: Task) -> None:
        """Note that a fresh thread has ended without a step."""
        me.fresh = False
        self.ask_again()
        if not me.aborted:
            self._differs(me)

    def _differs(self, me: Task) -> None:
        """Note that ``me`` began otherwise than before: from now on its first offer is not predicted."""
        me.first, me.varies = None, True
        if self.always:
            error = ProgramError(
                f"the program is not deterministic: {me.name} does not begin as it did before. "
                "Verify and replay need a program that depends on the schedule alone."
            )
            self.fail(me, error)

    def unbegun(self) -> Task | None:
        """Return a fresh thread to wake when no thread can go on, so that it waits at its first step."""
        return next((task for task in self.threads if task.fresh and not task.suspended), None)
