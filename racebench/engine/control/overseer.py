"""Waits for a controlled execution to end, and deals with a thread that makes no steps.

The thread that has the floor may block on something that RaceBench does not see: a raw lock, a queue,
the result of a pool.  Then it may wait for another thread of the program, which RaceBench itself holds
back.  The two cases look the same from outside; so it is tried out.  The thread is set aside, and the
others go on to their ends.

- If it comes back meanwhile, it waited for one of them: the program is correct, as far as is known, but
  RaceBench cannot choose its schedules: a ProgramError.
- If all others have ended, or wait for ever, and it does not come back, no thread of the program will
  help it any more: a hang, ``stall.hang``.  The same holds for a thread that computes without end.
- If it sleeps, waits with a timeout, or waits for something outside the program (a pool, a process, a
  socket, a thread that setup or another thread has started), it may come back at any time: a
  ProgramError, since nothing is known.

What the others did in the meantime is discarded: no controlled schedule leads there.

How the floor is taken from a thread that may come back at any moment: each step compares the calling
thread with ``ident`` of the task that has the floor; a thread with another id waits for ``fork`` and
checks whether it was set ``out``.  So the overseer holds ``fork``, changes ``ident``, and then looks at
the thread's frames, while Python stops all threads (or has the GIL).  If the thread is in no code of
the engine at that moment, and has made no step since the last look, then it has not begun a step, and
the next step that it begins will see the changed ``ident``.  Otherwise it is coming back, and gets the
floor again.  A thread that is out touches nothing of the scheduler any more, and releases ``back`` once
it has unwound.
"""

from __future__ import annotations

import time
from types import FrameType
from typing import Any

from ...errors import HarnessBug, ProgramError
from .. import osthreads
from ..osthreads import is_engine
from ..stillness import LOOK_S, REMEDY, Place, Watch, frames_of, place_of
from ..stuck import hang_fault
from .fairness import InTurn
from .floor import Floor
from .task import Task

_BACK_S = 1.0
PLAY = "play"
"""The method that calls a thread's function: the frames above it in a stack are the program's."""

LOOK = "look"
"""The function that a traced or profiled thread calls at any point of the program's own code."""

_RESTS = ("_switch", "_leave", "_work")


class _Out:
    """A task that was set aside; ``inside``: it is in code that a step of RaceBench has called."""

    def __init__(self, task: Task, frames: list[FrameType], blocks: bool, inside: bool) -> None:
        self.task, self.blocks, self.inside = task, blocks, inside
        self.place: Place = place_of(frames)
        self.how = self.place.described(blocks)
        self.stack = osthreads.stack_from(frames[0] if frames else None)
        self.back = False


class Overseer:
    """The controlling thread's part in the executions of the scheduler."""

    def __init__(self, floor: Floor, stall_s: float) -> None:
        self._s, self._stall_s = floor, stall_s
        self._out: list[_Out] = []
        self._steps = self._faults = self._arriving = 0
        self._late = False

    def await_end(self, stall_s: float) -> None:
        """Wait until no thread can go on any more; a KeyboardInterrupt is passed on."""
        while True:
            blocks = self._wait(stall_s)
            if blocks is None:
                return
            if self._set_aside(blocks) and not self._go_on():
                return

    def abort(self, task: Task) -> None:
        """Let ``task``, which is asleep, unwind."""
        s = self._s
        s.ask_again()
        task.aborted = True
        s.current = task
        task.baton.release()
        while True:
            blocks = self._wait(self._stall_s)
            if blocks is None:
                return
            if self._set_aside(blocks):
                # Other threads still have to be unwound, and one may hold what it waits for.
                s.current = None
                return

    def conclude(self, judged: bool) -> None:
        """At the end of the execution, report on the threads that are out, and end them.

        ``judged``: the others have ended by themselves.
        """
        out, self._out = self._out, []
        if not out:
            return
        s = self._s
        self._await_back(out, _BACK_S)
        if judged and not self._late:
            endless = any(fault.rule == "stall.livelock" for fault in s.outcome.faults[self._faults :])
            del s.log[self._steps :], s.outcome.faults[self._faults :]
            s.error = s.error or self._refusal(out, endless)
            if s.error is None:
                s.outcome.faults += [self._hang(one) for one in out]
            s.ending = True
        else:
            self._not_unwound([one for one in out if not one.back])
        s.hangs += 1
        self._end(out)

    # -- one thread without steps

    def _wait(self, stall_s: float) -> bool | None:
        """Return None once the floor is given back; else, if its holder makes no steps, whether it blocks."""
        s = self._s
        watch: Watch | None = None
        while not s.control.acquire(timeout=min(LOOK_S, stall_s)):
            watch = watch or Watch(stall_s)
            task = self._running()
            watch.look(None if task is None else task.clock, (task, len(s.log)))
            if watch.still:
                return watch.blocks
        self._arriving = 0
        return None

    def _running(self) -> Task | None:
        """Return the task that runs; while it evaluates a predicate, ``current`` names no task."""
        s = self._s
        if s.current is not None:
            return s.current
        for task in s.tasks:
            frames = frames_of(task.thread)
            if frames and not task.out and frames[0].f_code.co_name not in _RESTS:
                return task
        return None

    def _set_aside(self, blocks: bool) -> bool:
        """Take the floor from the running task; return False if the task is just coming back."""
        s = self._s
        floor, steps = s.current, len(s.log)
        task = self._running()
        if task is None or task.thread is None:
            if s.control.acquire(timeout=0.1):
                s.control.release()
                return False
            raise HarnessBug("an execution stopped without anybody running")
        with s.fork:
            task.ident = 0
            frames = _own(frames_of(task.thread))
            ours = _ours_above(frames)
            if s.current is not floor or len(s.log) != steps or ours == 0:
                task.ident = task.thread.ident or 0
                self._arriving += 1
                if self._arriving > 2:
                    raise HarnessBug(f"{task.name} makes no steps inside RaceBench: {_stack(frames)}")
                return False
            task.out = True
            s.ours -= {task.thread.ident}
        if not self._out:
            self._steps, self._faults = steps, len(s.outcome.faults)
            self._late = s.ending
        task.ready, task.obj = False, None
        self._out.append(_Out(task, frames, blocks, ours is not None))
        return True

    def _go_on(self) -> bool:
        """Give the floor to another task; return False if no task can take it."""
        s = self._s
        if self._out[-1].inside or s.ending:
            # It is in the middle of a step, so no other thread may go on; or the others only unwind.
            s.current = None
            return False
        s.take_over(InTurn())
        s.current = None
        chosen = s.next(None)
        if chosen is None:
            return False
        s.give(chosen)
        return True

    # -- the outcome of the threads set aside

    def _await_back(self, out: list[_Out], seconds: float) -> None:
        until = time.monotonic() + seconds
        for one in out:
            if not one.back:
                one.back = one.task.back.acquire(timeout=max(0.0, until - time.monotonic()))

    def _refusal(self, out: list[_Out], endless: bool) -> ProgramError | None:
        """Return the error if it is not certain that the program hangs; ``endless``: others did not end."""
        name = self._s.program.name
        for one in out:
            what = f"{name}: {one.task.name} {one.how}, which RaceBench does not see"
            if one.back:
                return ProgramError(f"{what}, and goes on once other threads do. {REMEDY}.")
            if one.inside:
                return ProgramError(f"{what}, in the middle of a step. {REMEDY}.")
            if one.place.ends:
                return ProgramError(f"{what}; it may go on later. Take it out. {REMEDY}.")
        others = ", ".join(self._s.strangers.alive())
        if not others and not endless:
            return None
        whom = f"{others}, none of the program's threads" if others else "one that goes on and on"
        what = f"{name}: {out[0].task.name} {out[0].how}, which RaceBench does not see, perhaps for {whom}"
        return ProgramError(f"{what}. {REMEDY}.")

    def _not_unwound(self, out: list[_Out]) -> None:
        """Report threads that were told to unwind, but neither did so nor made steps."""
        s = self._s
        for one in out:
            if one.blocks:
                what = f"{s.program.name}: {one.task.name} {one.how} while it unwinds"
                s.error = s.error or ProgramError(f"{what}, which RaceBench does not see. {REMEDY}.")
            elif not any(fault.rule.startswith("stall.") for fault in s.outcome.faults):
                s.outcome.faults.append(self._hang(one))

    def _hang(self, one: _Out) -> Any:
        fault = hang_fault(one.task, len(self._s.log), one.stack)
        fault.message = (
            f"{one.task.name} makes no steps and does not come back: it {one.how}, which RaceBench "
            "does not see. All other threads have ended, or wait for ever."
        )
        return fault

    def _end(self, out: list[_Out]) -> None:
        """Unwind the threads that have not come back; one that does not react is lost."""
        s = self._s
        for one in out:
            if not one.back and one.task.thread is not None:
                osthreads.interrupt(one.task.thread)
        self._await_back(out, _BACK_S)
        for one in out:
            task = one.task
            task.alive = False
            if not one.back:
                s.lost.append(task.name)
                continue
            assert task.thread is not None
            # It sleeps; an interrupt that it has not seen yet must not reach it in the next execution.
            osthreads.spare(task.thread)
            task.out, task.ident = False, task.thread.ident or 0
            s.ours |= {task.ident}


def _own(frames: list[FrameType]) -> list[FrameType]:
    """Return ``frames`` without those of ``LOOK``, which the thread may be in without making a step."""
    looks = (f.f_code.co_name == LOOK and is_engine(f.f_code.co_filename) for f in frames)
    return frames[max((i + 1 for i, look in enumerate(looks) if look), default=0) :]


def _ours_above(frames: list[FrameType]) -> int | None:
    """Return the index of the engine's innermost frame above the program's function; None if there is none.

    Below a thread's function are the worker's loop and Python's own start of a thread.
    """
    last = len(frames) - 1
    while last >= 0 and frames[last].f_code.co_filename.endswith("threading.py"):
        last -= 1
    while last >= 0 and frames[last].f_code.co_name != PLAY:
        last -= 1
    if last <= 0:
        # No frame above it: the thread's function is not written in Python, or there is none.
        return None if last == 0 else 0
    return next((i for i in range(last) if is_engine(frames[i].f_code.co_filename)), None)


def _stack(frames: list[FrameType]) -> str:
    return ", ".join(f"{f.f_code.co_name}:{f.f_lineno}" for f in frames[:4])
