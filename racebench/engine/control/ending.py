"""How an execution ends: the engine waits for it, judges it and unwinds its threads.

All of it is done by the controlling thread, after the floor was given back to it.
"""

from __future__ import annotations

from ...errors import ProgramError
from ...primitives.ops import CLOCK, INTERRUPT, PASS, SLEEP
from ..stuck import error_fault, find_ring, is_closed, ring_fault, wait_fault, wanted_site
from .environment import Clocks, profiled
from .floor import Floor
from .overseer import Overseer
from .task import Task

_UNOFFERED = SLEEP, PASS


class Ending:
    """Ends the executions of one scheduler, one after another."""

    def __init__(self, floor: Floor, stall_s: float) -> None:
        self._floor, self._stall_s = floor, stall_s
        self._overseer = Overseer(floor, stall_s)

    def conclude(self) -> None:
        """Keep the results, and run the check if all threads have ended normally."""
        s, outcome = self._floor, self._floor.outcome
        outcome.results = {t.name: t.result for t in s.threads}
        if s.crashed or outcome.faults or s.ending or s.lost:
            return
        try:
            outcome.broken = s.program.broken_rules(outcome.state, outcome.results)
        except (ProgramError, KeyboardInterrupt):
            raise
        except BaseException as error:
            outcome.faults.append(error_fault("check", error, len(s.log)))

    def await_end(self) -> None:
        """Wait for the end of the execution, then unwind the threads that did not end."""
        s = self._floor
        interrupted: KeyboardInterrupt | None = None
        while True:
            try:
                self._overseer.await_end(1.0 if interrupted else self._stall_s)
                break
            except KeyboardInterrupt as error:
                # The execution ends at its next choice; a hung one is reported lost.
                interrupted = error
                s.ending = True
                s.limit = -1
                if s.current is None:
                    # The execution is over.  The interrupt may have come after the floor was taken back.
                    s.control.acquire(timeout=1.0)
                    break
        self._overseer.conclude(judged=interrupted is None)
        self._unwind()
        if interrupted is not None:
            raise interrupted

    def _unwind(self) -> None:
        """Abort every thread still inside the program, one at a time."""
        s = self._floor
        stuck = [t for t in s.tasks if t.alive and t.name not in s.lost]
        started = [t for t in stuck if t not in s.unstarted]
        try:
            if started and not s.ending:
                self._stuck(started)
        finally:
            if stuck:
                s.ending = True
            self._abort(started)

    def _stuck(self, started: list[Task]) -> None:
        """Report a deadlock of ``started``, which cannot move, unless all of them may wait for ever."""
        s = self._floor
        if all(task.onto is None and not task.suspended and task.daemon for task in started):
            # Before they unwind, which may change the state.
            self.conclude()
            return
        waiting = [task for task in started if not task.suspended]
        if self._wait_for_a_clock(waiting):
            return
        faults, at = s.outcome.faults, len(s.log)
        # A cycle is reported when its last thread blocks, unless a handler suspended a thread of it at that
        # moment or another thread could open it: no such thread is left now, unless one has crashed.
        for task in waiting:
            ring = find_ring(task)
            if ring is not None and s.crashed and not is_closed(ring):
                continue
            closed = None if ring is None else ring_fault(task, ring, at)
            if closed is not None and all(fault.signature != closed.signature for fault in faults):
                s.say(closed, *ring or ())
        faults.extend(wait_fault(waiting, faults, at))

    def _wait_for_a_clock(self, waiting: list[Task]) -> bool:
        """Return whether one of ``waiting`` waits for a predicate that reads the time.

        No step changes the time: in reality the thread would go on at some time, and then perhaps others.
        """
        s = self._floor
        for task in waiting:
            clocks = Clocks()
            if task in s.watchers:
                profiled(clocks.look, lambda watched=task.obj: watched.holds(s))  # type: ignore[misc]
            if clocks.asked or (task in s.watchers and any(op is CLOCK for op, _ in task.obj.reads)):
                s.blind_spots.say(
                    f"{s.program.name}: {task.name} waits in {wanted_site(task)} for a predicate that asks "
                    "for the time, which no step changes. Wait for a field that another thread sets"
                )
                return True
        return False

    def _abort(self, started: list[Task]) -> None:
        """Unwind ``started``; first note what each of them still waits for."""
        s = self._floor
        for task in started:
            offered = task.offer()
            # A sleeper has no offer until another thread wakes it; a thread that could move is not blocked.
            could = task.ready and not task.suspended
            task.blocked = None if could or offered[0] in _UNOFFERED else offered
            if s.recorder is not None and task.blocked is not None:
                s.recorder.blocked(task)
        for task in s.interrupts:
            if task.op is INTERRUPT and task.obj is task.onto and not task.ready:
                task.blocked = INTERRUPT, task.onto
        for task in s.unstarted:
            task.alive = False
        for task in started:
            self._overseer.abort(task)
        s.current = None
        self._overseer.conclude(judged=False)
