"""How the threads of an execution come to their first steps.

All start at once: each is to offer its first step before anybody makes one.  To have
every thread run up to there costs a hand-over a thread.  But what comes before the first
step depends on nothing that an execution can change, so the first offer is the same each
time: from the second execution on it stands in for a thread that is *fresh*, and the
thread itself is woken once that is chosen.  It must then come to the very same offer.

Only offers are known so that are always possible, or a take of a mutex, whose state says
whether it is: on an object of setup's, which has the same number in each execution.  And
only where nothing was seen to change without steps: what is read before the first step
would be read later.
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
    """The part of the floor that brings threads to their first steps; owned by the floor holder."""

    __slots__ = ()

    threads: list[Task]

    def start(self, limit: int, known: bool) -> Task:
        """The first thread to come, which has the floor from now on; the execution may have ``limit`` steps.

        ``known``: but for the last one, which then is where all others would have left off, they
        need not run to their first offers where those are known.
        """
        self.limit = limit
        threads, unstarted = self.threads, self.unstarted
        if known:
            coming = [task for task in threads[:-1] if task.first is None or not self._stands(task)]
            coming.append(threads[-1])
        else:
            coming = threads[:]
        # Those that setup has started come last.
        coming += unstarted
        first, self.unstarted = coming[0], coming[:0:-1]
        self.pick = self._first_pick
        self.many = True
        self.current = first
        return first

    def born(self, task: Task) -> None:
        """``task`` has just been started: it comes to its first step before anybody makes another."""
        self.unstarted.append(task)
        if self.current is not None:
            self.starter = self.current
            self.ask_again()
            self.pick, self.many = self._first_pick, True

    def _first_pick(self, enabled: list[Task], current: Task | None) -> Task:
        """Until each thread has made its first offer, start the next one."""
        if self.unstarted:
            return self.unstarted.pop()
        if self.ending:
            raise ThreadAbort
        if not self.log:
            self._learn()
        self.pick = self.asked()
        self.refresh()
        if self.starter is not None:
            # It made the last step.
            current, self.starter = self.starter if self.starter.ready else None, None
        return self.pick(self.enabled, current) if self.many else self.enabled[0]

    # -- fresh threads

    def _learn(self) -> None:
        """Keep what each thread offers first: all have done so, and nobody has made a step."""
        for task in self.threads:
            if task.first is None and task.alive and not task.varies:
                op, obj = task.op, task.obj
                on_lock = op in _ON_LOCKS and isinstance(obj, Lock)
                if on_lock or (op.is_field and not op.apart):
                    n = obj._rb_id
                    if self._numbered(n) is obj:
                        task.first = op, n

    def _stands(self, task: Task) -> bool:
        """Whether the first offer of ``task``, which is known, now stands in for it."""
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
        """What setup has made as its ``n``-th, if it has."""
        return self.made[n] if type(n) is int and n < len(self.made) else None

    def arrived(self, me: Task, op: Op, obj: Any) -> bool:
        """A fresh thread offers its first step; whether that is the one it was chosen for."""
        me.fresh = False
        self.free, self.waiting = self.waiting, 0
        if me.first is not None and me.first[0] is op and self._numbered(me.first[1]) is obj:
            return True
        self.ask_again()
        self._differs(me)
        return False

    def ended_fresh(self, me: Task) -> None:
        """A fresh thread has ended without a step."""
        me.fresh = False
        self.ask_again()
        if not me.aborted:
            self._differs(me)

    def _differs(self, me: Task) -> None:
        """``me`` does not begin as it did before: from now on it is not believed to."""
        me.first, me.varies = None, True
        if self.always:
            error = ProgramError(
                f"the program is not deterministic: {me.name} does not begin as it did before. "
                "Verify and replay need a program that depends on the schedule alone."
            )
            self.fail(me, error)

    def unbegun(self) -> Task | None:
        """When nobody can go on: a fresh thread, so that it comes to where it waits."""
        return next((task for task in self.threads if task.fresh and not task.suspended), None)
