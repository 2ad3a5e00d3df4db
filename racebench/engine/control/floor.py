"""The floor: what all threads of an execution share, and how one of them makes a step.

Every worker sleeps on its own baton (a real lock).  The thread that holds the floor decides in its own
stack which thread runs next: there is no scheduler thread, so a step that does not switch costs no
hand-over at all.

Guarantees:
- Exactly one thread touches the floor and program state at any time; releasing a baton and acquiring
  it orders all accesses, with or without a GIL.
- Everything the next thread reads (``current``, the log, the offers) is written before its baton is
  released.

A thread *offers* an operation and performs it only when it is chosen, so the strategy sees what each
thread is about to do, and an offer that cannot be met (a lock that is held) is known before anything
blocks.
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

_MOST_LATE = 10_000
"""The number of steps that a thread may make while it unwinds: that of the longest execution."""


class Floor(Beginning):
    """What the threads of ``program`` share; the floor holder's, except where another rule is given here.

    ``ghost`` says what a failed check does: end the execution (False), or stop its thread for ever while
    the others go on, which exhaustive search needs to see the steps that could have come before.
    ``relation`` is informed of what predicates read during such a search.  ``conflicting`` counts the reads
    that came to conflict, because a thread was seen to put a value into the field that may change.

    ``closing``: only daemons are left.  They go on until they wait, and a sleep or a timeout that begins
    from then on does not end: a daemon that polls would go on for ever.  ``endless`` names a daemon that
    was stopped so.

    A thread that gives the floor back releases ``control``, for which the controlling thread waits.
    ``ours`` and ``workers`` (by their ids) say which OS threads belong to the run, ``fork`` guards which
    tasks are set ``out``.
    """

    # With more attributes than CPython keeps without a dict, each look at one would cost more.
    __slots__ = (
        "blind_spots", "closing", "conflicting", "control", "crashed", "endless", "error", "fence", "fork",
        "ghost", "hangs", "interrupts", "log", "lost", "max_steps", "might_end", "now", "ours", "outcome",
        "program", "relation", "runs", "seeing", "spy", "strangers", "threads", "too_deep", "workers",
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
        self.hangs = self.runs = self.conflicting = 0
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
        """Reset everything that is kept of an execution, for a new one."""
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
        """Return the calling task, None in setup and check; refuse a call from any other thread."""
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

    def not_running(self, what: str) -> None:
        """Refuse the step ``what`` of a caller without the floor; return if it has the floor after all."""
        task = self.workers.get(get_ident())
        if task is None:
            if self.ours:
                self.strangers.caught(what)
            return
        # The overseer may be only looking, without setting the task aside.
        with self.fork:
            if not task.out:
                return
        task.late += 1
        if task.late > _MOST_LATE:
            osthreads.sleep_for_ever()
        raise ThreadAbort

    def unwinding(self, me: Task) -> None:
        """Allow a step of ``me`` that was told to end: it cleans up, but may not go on for ever.

        After too many steps its code evidently catches every exception, and another one would not help.  It
        has the floor, so it reports this itself, gives the floor back and never wakes again.
        """
        me.late += 1
        if me.late <= _MOST_LATE:
            return
        self.blind_spots.say(
            f"{self.program.name}: {me.name} catches the exception that ends an execution, and goes on in "
            f"{osthreads.caller_site()}: catch Exception there, or raise it again"
        )
        me.alive = me.ready = False
        self.ending = True
        self.lost.append(me.name)
        self.current = None
        self.control.release()
        osthreads.sleep_for_ever()

    # -- findings during the execution

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
        """Keep ``fault``, which is about the last steps of ``tasks``."""
        fault.by = tuple(task.index for task in tasks)
        self.outcome.faults.append(fault)

    # -- one step

    def point(self, op: Op, obj: Any) -> None:
        """Offer ``op`` on ``obj``; return when the caller may perform it."""
        # Read without a lock.  It names the calling thread only while that thread has the floor: the thread
        # that hands the floor over writes it before it releases the baton, so a thread without the floor
        # never finds itself here.
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
                # It was started only to unwind, and must make no step.
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
        """Do the same as ``point`` for an offer that is already made and may not be ready."""
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
                # As in `point`: it is one of `enabled`, which is as the last change left it.
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
        """Record a step; showing values runs the program's code, which may take locks: those are no steps."""
        self.current = None
        try:
            recorder.step(me, op, obj)
        finally:
            self.current = me

    def object_changed(self, obj: Any, me: Task) -> None:
        """Note that ``me`` changed ``obj``: find out which offers on it can be met now."""
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
        # A baton is a lock that is held while its thread sleeps: if ours is released before we reach this
        # line, the release is not lost, and the acquire succeeds at once.  What the other threads wrote
        # while they had the floor, `aborted` too, happens before this acquire because of that release.
        me.baton.acquire()
        if me.aborted:
            raise ThreadAbort

    def give(self, chosen: Task) -> None:
        """Hand the floor over to ``chosen``, which runs after the release; all writes are made before it."""
        if chosen.fresh:
            self.waiting, self.free = self.free, 0
        self.current = chosen
        chosen.baton.release()

    def _leave(self, me: Task) -> None:
        """Give the floor back, since no thread can run, and sleep until aborted."""
        # Before the release, after which the thread that waits in `control` has the floor.
        self.current = None
        self.control.release()
        me.baton.acquire()
        if me.aborted:
            raise ThreadAbort

    def fail(self, me: Task, error: BaseException) -> NoReturn:
        """End the execution because a strategy ended it or failed: ``run`` then raises ``error``.

        The error must not travel through the code under test, which may catch it.  From here ``me`` makes no
        more steps while it unwinds.
        """
        if isinstance(error, RecursionError):
            # The program's error, not the strategy's; it is reported where there is stack again.
            self.too_deep = error
        elif not isinstance(error, ThreadAbort):
            self.error = error
        # After a crash the others may go on when a thread is aborted; after this they may not.
        self._end_with(me)

    def _end_with(self, me: Task) -> NoReturn:
        """End the execution from within ``me``, and keep the offer that could not be met."""
        if not me.ready and me.op is not SLEEP and me.op is not PASS:
            me.blocked = me.op, me.obj
        self.ask_again()
        me.aborted = self.ending = True
        raise ThreadAbort

    # -- picking

    def next(self, current: Task | None) -> Task | None:
        """Return the task that runs next when the caller may be unable to; None if no task can."""
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
        """Note a possible deadlock if the only threads that can go on are sleepers that may wake spuriously.

        They will wake, and the execution has another end; the fault is reported along with it.
        """
        if not self.enabled or any(task.op is not WAKE for task in self.enabled):
            return
        waiting = [t for t in self.tasks if t.alive and not t.suspended and t.name not in self.lost]
        for fault in wait_fault(waiting, self.outcome.faults, len(self.log)):
            fault.by = tuple(task.index for task in waiting)
            self.might_end.append(fault)

    def _overrun(self, me: Task) -> None:
        """Handle too many steps: let all threads take turns; after too many again, report a livelock."""
        if self.limit >= 0 and not self.outcome.unfair:
            self.outcome.unfair = spinning(self.log)
            self.limit += self.max_steps
            self.take_over(InTurn())
            return
        if self.limit >= 0:
            self.outcome.unfair = ""
            running = [task.name for task in self.tasks if task.alive]
            # The steps before the threads took turns show it as well.
            at = self.limit - self.max_steps
            self.outcome.faults.append(livelock_fault(running, f"{len(self.log)} steps", at))
        self._end_with(me)
