"""Waiting for a controlled execution to end, and what is done about a thread that makes no steps.

The thread that has the floor may block on something that RaceBench does not see: a raw
lock, a queue, the result of a pool.  Then it may wait for another thread of the program,
which RaceBench itself holds back.  Which of the two it is cannot be read off it; so it is
tried out.  The thread is set aside, and the others go on to their ends.

- If it comes back meanwhile, it waited for one of them: the program is correct, as far
  as anybody knows, and its schedules are not RaceBench's to choose: a ProgramError.
- If all others have ended, or wait for ever, and it does not come back, nobody in the
  program will help it any more: a hang, ``stall.hang``.  So it is with one that computes
  without an end.
- If it sleeps, waits with a timeout, or waits for something outside the program (a pool,
  a process, a socket, a thread that setup or another thread has started), it may come
  back at any time: a ProgramError, since nothing is known.

What the others did in the meantime is forgotten: no schedule of ours leads there.

How the floor is taken from a thread that may come back at any moment: each step compares
the calling thread with ``ident`` of the task that has the floor, and whoever is not that
one waits for ``fork`` and asks whether it has been set ``out``.  So we hold ``fork``,
change ``ident``, and then look at the thread's frames, for which Python lets all threads
stand still (or has the GIL).  Is the thread in no code of ours at that moment, and has it
made no step since it was last looked at, then it has not begun one, and the next one that
it begins will see the other ``ident``.  Otherwise it is coming back, and gets it again.
A thread that is out touches nothing of the scheduler's any more, and says on ``back``
that it has unwound.
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
from .floor import Floor
from .task import Task

_BACK_S = 1.0
PLAY = "play"
"""The method that calls a thread's function: what is above it in a stack is the program's."""

LOOK = "look"
"""The function that a traced or profiled thread calls in between, anywhere in the program's own code."""

_RESTS = ("_switch", "_leave", "_work")


class _Out:
    """A task that was set aside; ``inside`` says that it is in code that a step of ours has called."""

    def __init__(self, task: Task, frames: list[FrameType], blocks: bool, inside: bool) -> None:
        self.task, self.blocks, self.inside = task, blocks, inside
        self.place: Place = place_of(frames)
        self.how = self.place.described(blocks)
        self.stack = osthreads.stack_from(frames[0] if frames else None)
        self.back = False


class Overseer:
    """The controlling thread's part in the executions of ``scheduler``."""

    def __init__(self, floor: Floor, stall_s: float) -> None:
        self._s, self._stall_s = floor, stall_s
        self._out: list[_Out] = []
        self._steps = self._faults = self._arriving = 0
        self._late = False

    def await_end(self, stall_s: float) -> None:
        """Wait until nobody can go on any more; KeyboardInterrupt goes through."""
        while True:
            blocks = self._wait(stall_s)
            if blocks is None:
                return
            if self._set_aside(blocks) and not self._go_on():
                return

    def abort(self, task: Task) -> None:
        """Have ``task``, which is asleep, unwind."""
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
                # Others are still to be unwound, and may have what it waits for.
                s.current = None
                return

    def conclude(self, judged: bool) -> None:
        """The execution is over, but for those that are out: say what they are about, and end them.

        ``judged`` says that the others have ended by themselves.
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
        """None once the floor is given back; else the running task makes no steps: whether it blocks."""
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
        """The task that has the floor, which nobody has in name while it evaluates a predicate."""
        s = self._s
        if s.current is not None:
            return s.current
        for task in s.tasks:
            frames = frames_of(task.thread)
            if frames and not task.out and frames[0].f_code.co_name not in _RESTS:
                return task
        return None

    def _set_aside(self, blocks: bool) -> bool:
        """Take the floor from the running task; False if it is just coming back."""
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
        """Give the floor to another task; False if nobody can take it."""
        s = self._s
        if self._out[-1].inside or s.ending:
            # In the middle of a step of ours, which nobody may go on from; or others only unwind.
            s.current = None
            return False
        s.take_over(Anyone())
        s.current = None
        chosen = s.next(None)
        if chosen is None:
            return False
        s.give(chosen)
        return True

    # -- what became of them

    def _await_back(self, out: list[_Out], seconds: float) -> None:
        until = time.monotonic() + seconds
        for one in out:
            if not one.back:
                one.back = one.task.back.acquire(timeout=max(0.0, until - time.monotonic()))

    def _refusal(self, out: list[_Out], endless: bool) -> ProgramError | None:
        """The error if it is not known that the program hangs; ``endless``: others did not end."""
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
        """Of threads that were told to unwind, and neither did so nor made steps."""
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
        """Unwind those that have not come back; who does not heed that is lost."""
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
            # It sleeps, and what it has not heeded yet it must not hear in the next execution.
            osthreads.spare(task.thread)
            task.out, task.ident = False, task.thread.ident or 0
            s.ours |= {task.ident}


class Anyone:
    """A strategy: all in turn, so that nobody waits for one who goes on and on."""

    def __init__(self) -> None:
        self._turn = 0

    def begin(self) -> None: ...

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        self._turn += 1
        return enabled[self._turn % len(enabled)]


def _own(frames: list[FrameType]) -> list[FrameType]:
    """``frames`` without the look that the thread may be in: it makes no step."""
    looks = (f.f_code.co_name == LOOK and is_engine(f.f_code.co_filename) for f in frames)
    return frames[max((i + 1 for i, look in enumerate(looks) if look), default=0) :]


def _ours_above(frames: list[FrameType]) -> int | None:
    """How deep in ``frames`` the innermost code of the engine is; None if only below the program's own.

    Below a thread's function there is the worker's loop, and Python's own beginning of a thread.
    """
    last = len(frames) - 1
    while last >= 0 and frames[last].f_code.co_filename.endswith("threading.py"):
        last -= 1
    while last >= 0 and frames[last].f_code.co_name != PLAY:
        last -= 1
    if last <= 0:
        # Nothing above it: a thread whose function is not Python's, or none at all.
        return None if last == 0 else 0
    return next((i for i in range(last) if is_engine(frames[i].f_code.co_filename)), None)


def _stack(frames: list[FrameType]) -> str:
    return ", ".join(f"{f.f_code.co_name}:{f.f_lineno}" for f in frames[:4])
