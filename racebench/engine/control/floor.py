"""The floor: what all threads of an execution share, and how one of them makes a step.

Every worker sleeps on its own baton (a real lock).  The thread that holds the
floor decides who runs next, in its own stack: there is no scheduler thread, so
a step that does not switch costs no hand-over at all.

Guarantees:
- Exactly one thread touches the floor and program state at any time; releasing
  a baton and acquiring it orders all accesses, with or without a GIL.
- Everything the next thread reads (``current``, the log, the offers) is written
  before its baton is released.

A thread *offers* an operation and performs it only when it is chosen, so the
strategy sees what each thread is about to do, and an offer that cannot be met
(a lock that is held) is known before anything blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident
from typing import Any, NoReturn

from ...errors import ProgramError, ThreadAbort
from ...primitives.ops import PASS, SLEEP, WAKE
from ...program import Program
from ...trace import Op
from .. import osthreads
from ..blind_spots import BlindSpots
from ..strangers import Strangers, call_name, impure, step_name
from ..stuck import Fault, crash_fault, find_ring, is_closed, livelock_fault, ring_fault, wait_fault
from .beginning import Beginning
from .execution import Listener, Outcome
from .fairness import InTurn, spinning
from .recorder import StepRecorder
from .task import Task


class Floor(Beginning):
    """What the threads of ``program`` share; but for what is said of it, owned by the floor holder.

    ``ghost`` says what a failed check does: end the execution (False), or stop
    its thread for ever while the others go on, which is what exhaustive search
    needs to see the steps that could have come before.  ``relation`` hears what
    predicates look at, during such a search.

    Once it is ``closing`` only daemons are left.  They go on until they wait, and a sleep or
    a timeout that one begins from then on has no end: one that polls would go on for ever.
    ``endless`` names one that was kept from it so.

    Whoever has no floor any more takes ``control``; ``ours`` and ``workers`` (by
    their ids) say whose thread one is, ``fork`` guards who is set out.
    """

    # With more attributes than CPython keeps without a dict, each look at one would cost more.
    __slots__ = (
        "blind_spots", "closing", "control", "crashed", "endless", "error", "fence", "fork", "ghost", "hangs",
        "interrupts", "log", "lost", "max_steps", "might_end", "now", "ours", "outcome", "program",
        "relation", "runs", "seeing", "spy", "strangers", "threads", "too_deep", "workers",
    )  # fmt: skip

    def __init__(self, program: Program, threads: list[Task], interrupts: list[Task], max_steps: int) -> None:
        super().__init__()
        self.program, self.max_steps = program, max_steps
        self.threads, self.interrupts = threads, interrupts
        self.tasks = threads + interrupts
        self.ghost = False
        self.relation: Listener | None = None
        self.fence: Callable[[], None] = lambda: None
        self.lost: list[str] = []
        self.hangs = self.runs = 0
        self.endless = ""
        self.blind_spots = BlindSpots()
        self.strangers = Strangers(program.name)
        self.control = threading.Lock()
        self.control.acquire()
        self.fork = threading.Lock()
        self.ours: frozenset[int] = frozenset()
        self.workers: dict[int, Task] = {}
        self.prepare()

    def prepare(self) -> None:
        """Everything that is kept of an execution is as it is before a new one."""
        self.clear()
        self.current: Task | None = None
        self.prepare_asking(self.max_steps)
        self.crashed = self.ending = self.closing = False
        self.now = 0.0
        self.spy: list[tuple[Op, Any]] | None = None
        self.seeing: Task | None = None
        self.outcome = Outcome()
        self.log = self.outcome.log
        self.error: BaseException | None = None
        self.too_deep: RecursionError | None = None
        self.might_end: list[Fault] = []

    # -- whose thread calls

    def caller(self, obj: Any = None) -> Task | None:
        """The task that calls, None in setup and check; a thread that is neither does not get that far."""
        me = self.current
        if me is not None:
            if get_ident() != me.ident:
                self.not_running(call_name(obj, 2))
            return me
        if get_ident() not in self.ours:
            self.not_running(call_name(obj, 2))
        if self.seeing is not None:
            raise impure(call_name(obj, 2))
        return None

    # -- what is found on the way

    def check_failed(self, rule: str, message: str) -> None:
        task = self.caller()
        if task is None:
            raise ProgramError(
                f"{self.program.name}: check_that failed outside the threads: {rule}: {message}"
            )
        if task.aborted:
            raise ThreadAbort
        # From here the thread makes no more steps: unwinding releases nothing.
        self.ask_again()
        task.aborted = self.crashed = True
        self.say(crash_fault(rule, message, osthreads.caller_site(), len(self.log)), task)
        if task.cpu is not None:
            self.object_changed(task.cpu, task)
        raise ThreadAbort

    def say(self, fault: Fault, *tasks: Task) -> None:
        """Keep ``fault``, which is about what ``tasks`` did last."""
        fault.by = tuple(task.index for task in tasks)
        self.outcome.faults.append(fault)

    # -- one step

    def point(self, op: Op, obj: Any) -> None:
        """Offer ``op`` on ``obj``; returns when the caller may perform it."""
        # Read without a lock.  It names the calling thread only while that has the floor: whoever hands
        # the floor over writes it before the baton is released, and a thread without it never finds itself.
        me = self.current
        if self.free and me is not None and get_ident() == me.ident:
            self.free -= 1
            self.log.append((me, op, obj))
            return
        if me is None:
            if get_ident() not in self.ours:
                self.not_running(step_name(op, obj))
            if self.seeing is not None:
                if op.writes:
                    raise impure(step_name(op, obj))
                if self.spy is not None:
                    self.spy.append((op, obj))
            return
        if get_ident() != me.ident:
            self.not_running(step_name(op, obj))
        if me.aborted:
            self.unwinding(me)
            if me.fresh:
                # It has been begun only to unwind, and gets no further.
                raise ThreadAbort
            return
        if me.fresh and self.arrived(me, op, obj):
            self.log.append((me, op, obj))
            return
        me.op = op
        me.obj = obj
        me.ready = True
        if self.watchers:
            self.recheck()
        log = self.log
        if len(log) >= self.limit:
            self._overrun(me)
        if self.many:
            try:
                chosen = self.pick(self.enabled, me)
            except BaseException as error:
                self.fail(me, error)
            if chosen is not me:
                self._switch(me, chosen)
        if self.recorder is not None:
            self._record(self.recorder, me, op, obj)
        log.append((me, op, obj))

    def block_or_go(self, me: Task) -> None:
        """As ``point``, for an offer already made that may not be ready."""
        if self.free and me.ready and me.op.other is None and me.op is not WAKE:
            self.free -= 1
            self.log.append((me, me.op, me.obj))
            return
        if me.fresh and self.arrived(me, me.op, me.obj) and me.ready:
            self.log.append((me, me.op, me.obj))
            return
        if self.watchers:
            self.recheck()
        if not me.ready:
            self.refresh()
            ring = find_ring(me)
            if ring is not None and is_closed(ring):
                self.say(ring_fault(me, ring, len(self.log)), *ring)
        log = self.log
        if len(log) >= self.limit:
            self._overrun(me)
        chosen: Task | None
        try:
            if me.ready and me.op is not WAKE:
                # As at any point: it is one of `enabled`, which is as it was left by the last change.
                chosen = self.pick(self.enabled, me) if self.many else me
            else:
                chosen = self.next(me if me.ready else None)
        except BaseException as error:
            self.fail(me, error)
        if chosen is None:
            self._leave(me)
        elif chosen is not me:
            self._switch(me, chosen)
        if self.recorder is not None:
            self._record(self.recorder, me, me.op, me.obj)
        log.append((me, me.op, me.obj))

    def _record(self, recorder: StepRecorder, me: Task, op: Op, obj: Any) -> None:
        """Values are shown in the program's own words, which may take locks: that is none of its steps."""
        self.current = None
        try:
            recorder.step(me, op, obj)
        finally:
            self.current = me

    def object_changed(self, obj: Any, me: Task) -> None:
        """``me`` changed ``obj``: see whose offer on it can be met now."""
        me.obj = None
        changed = False
        for task in self.tasks:
            if task.obj is obj:
                ready = obj.ready_for(task)
                if ready is not task.ready:
                    task.ready = ready
                    changed = True
        if changed:
            self.refresh()

    def recheck(self) -> None:
        """Evaluate the predicates that threads wait for, without making steps."""
        changed = False
        for task in self.watchers:
            ready = task.obj.holds(self)
            if ready is not task.ready:
                task.ready = ready
                changed = True
        if changed:
            self.refresh()

    def _switch(self, me: Task, chosen: Task) -> None:
        self.give(chosen)
        # A baton is a lock that is held while its thread sleeps: should ours be released before we come
        # to this line, the release is not lost, and the acquire goes through at once.  What the others
        # wrote while they had the floor, `aborted` too, is ordered before it by that release.
        me.baton.acquire()
        if me.aborted:
            raise ThreadAbort

    def give(self, chosen: Task) -> None:
        """Hand the floor over to ``chosen``, which runs from the release on: all is published before it."""
        if chosen.fresh:
            self.waiting, self.free = self.free, 0
        self.current = chosen
        chosen.baton.release()

    def _leave(self, me: Task) -> None:
        """Nobody can run: give the floor back and sleep until aborted."""
        # Before the release, from which on whoever waits in `control` has the floor.
        self.current = None
        self.control.release()
        me.baton.acquire()
        if me.aborted:
            raise ThreadAbort

    def fail(self, me: Task, error: BaseException) -> NoReturn:
        """A strategy ended the execution, or failed: then ``run`` raises ``error``.

        The error must not travel through the code under test, which may catch
        it.  From here ``me`` makes no more steps while it unwinds.
        """
        if isinstance(error, RecursionError):
            # The program's, not the strategy's; to be told where there is stack again.
            self.too_deep = error
        elif not isinstance(error, ThreadAbort):
            self.error = error
        # A crash before this lets the others go on after a thread is aborted; this does not.
        self._end_with(me)

    def _end_with(self, me: Task) -> NoReturn:
        """End the execution from within ``me``, and keep what it could not do."""
        if not me.ready and me.op is not SLEEP and me.op is not PASS:
            me.blocked = me.op, me.obj
        self.ask_again()
        me.aborted = self.ending = True
        raise ThreadAbort

    # -- picking

    def next(self, current: Task | None) -> Task | None:
        """Who runs next when the caller may be unable to; None if nobody can."""
        if self.unstarted:
            return self.unstarted.pop()
        if self.ending:
            raise ThreadAbort
        self.refresh()
        if not self.enabled:
            return self.unbegun()
        if self.enabled[0].op is WAKE:
            self.see_sleepers()
        return self.pick(self.enabled, current) if self.many else self.enabled[0]

    def see_sleepers(self) -> None:
        """Where only sleepers who may wake unasked are left: if they do not, this is the end.

        They will, and the execution has an end of its own; this one is told with it.
        """
        if not self.enabled or any(task.op is not WAKE for task in self.enabled):
            return
        waiting = [t for t in self.tasks if t.alive and not t.suspended and t.name not in self.lost]
        for fault in wait_fault(waiting, self.outcome.faults, len(self.log)):
            fault.by = tuple(task.index for task in waiting)
            self.might_end.append(fault)

    def _overrun(self, me: Task) -> None:
        """Too many steps: let all have their turns, and if it does not end then, it never does."""
        if self.limit >= 0 and not self.outcome.unfair:
            self.outcome.unfair = spinning(self.log)
            self.limit += self.max_steps
            self.take_over(InTurn())
            return
        if self.limit >= 0:
            self.outcome.unfair = ""
            running = [task.name for task in self.tasks if task.alive]
            # What came before the turns shows it as well.
            at = self.limit - self.max_steps
            self.outcome.faults.append(livelock_fault(running, f"{len(self.log)} steps", at))
        self._end_with(me)
