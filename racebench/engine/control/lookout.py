"""Looks for changes in an execution that no step announces.

In some of the executions: pictures of what the threads can reach, before, after and at the steps, and
calls by which threads communicate outside the program's objects.  If something had changed, a few more
executions are traced, to see which threads use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import Any

from ...trace import Kind
from .. import osthreads
from ..blind_spots import NOTHING
from .environment import Environment, profiled, traced
from .execution import Chooser
from .fairness import InTurn
from .floor import Floor
from .objects import Known
from .pictures import Picture, Place
from .plain_accesses import TRACED, Uses
from .task import Task

_STEPS = {Floor.point.__code__, Floor.block_or_go.__code__}
_LOOKS = 64
"""The number of first steps of one execution that are all looked at; later ever fewer are."""
_CLOSELY = 3
"""The number of first executions whose steps are looked at."""
_LARGE = 2_000
"""With this many places a look is expensive."""
TOUCHES_NOTHING = {Kind.INTERRUPT, Kind.RETURN, Kind.IRQS_OFF, Kind.IRQS_ON}
_SHARES_NOTHING = {*TOUCHES_NOTHING, Kind.START, Kind.END, Kind.JOIN}


class _Again(InTurn):
    """A strategy that runs ``tasks`` in their order, as far as they can go on; after that in turn."""

    def __init__(self, tasks: list[Task]) -> None:
        super().__init__()
        self._tasks = tasks

    def begin(self) -> None:
        self._left = iter(self._tasks)

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        task = next(self._left, None)
        return task if task in enabled else super().pick(enabled, current)


class Lookout:
    """Looks at the executions of one scheduler; all but ``watch`` is the controlling thread's.

    ``changing`` are the places that pictures have shown to change; ``ordered`` are those whose uses a search
    has shown to be ordered by the steps, so that they may be used unseen.  ``watch`` calls a thread's part
    in the present execution under observation, if the execution is looked at; the workers read it after a
    release of a baton, and ``before`` sets it before all such releases.
    ``looks``: whether pictures are taken; they are useless if nobody asks for the result.
    ``repeated`` counts the executions that a search has made again, which need no second look.
    ``execute`` runs one more execution under a strategy, which is asked at each step.
    """

    def __init__(self, floor: Floor, looks: bool, execute: Callable[[Chooser], Any]) -> None:
        self._floor, self._looks, self._execute = floor, looks, execute
        self.changing: set[Place] = set()
        self.ordered: set[Place] = set()
        self._orders: list[_Again] = []
        self.watch: Callable[[Task, Callable[[], None]], None] | None = None
        self.uses: Uses | None = None
        self.repeated = self._looked = 0
        self._environment = Environment()
        self._known = Known()
        self._touched = False
        self._picture: Picture | None = None

    def before(self, state: Any) -> Picture | None:
        """Look at the state before the first step; the picture is for ``after``."""
        s, uses = self._floor, self.uses
        if uses is not None:
            uses.begin(s.log, partial(Picture, s.program, state, self._known))
            self.watch = lambda task, call: traced(uses.tracer(task), call)
            return None
        self.watch = self._picture = None
        run = s.runs - self.repeated
        if not self._looks or run & (run - 1) or run <= self._looked:
            return None
        self._looked = run
        self._picture = picture = Picture(s.program, state, self._known)
        self._environment, self._steps, self._already = Environment(), 0, len(self.changing)
        self._closely = run < _CLOSELY
        self.watch = lambda task, call: profiled(partial(self.look, task, picture), call)
        osthreads.take_lost_interrupts()
        return picture

    @property
    def sees_all(self) -> bool:
        """Whether this execution is not looked at, and the observed executions showed nothing unseen."""
        return self._looks and self.watch is None and not (self.changing or self._floor.blind_spots.anything)

    def handed(self, what: str, value: Any) -> None:
        """Note that a thread is given ``value``, which others may have too; called by the floor holder."""
        if self._picture is not None:
            self._picture.add(what, value)

    def look(self, task: Task, picture: Picture, frame: FrameType, event: str, called: Any) -> None:
        """Handle an event of ``sys.setprofile`` in the thread of ``task``, which alone has the floor.

        The overseer knows by this function's name that a thread in it is about to go on.
        """
        if event == "c_call":
            self._environment.called(task.name, frame, called)
        elif event == "call" and self._closely and frame.f_code in _STEPS:
            self._step(picture)

    def _step(self, picture: Picture) -> None:
        """Note what has changed before this step: others may see it from now on, even if it is undone."""
        self._steps += 1
        often = self._steps <= _LOOKS and picture.size < _LARGE
        if (often or not self._steps & (self._steps - 1)) and picture.has_changed():
            self.changing |= picture.changed()

    def after(self, before: Picture | None) -> None:
        """Look at the state that the execution has left."""
        s = self._floor
        if before is not None:
            changed = before.changed()
            self.changing |= changed
            if changed or len(self.changing) > self._already:
                self._orders.append(_Again([task for task, _, _ in s.log]))
            if before.truncated:
                self._say(
                    "its threads can reach more objects than RaceBench looks at, and some may be changed "
                    "unseen"
                )
            for sentence in self._environment.sentences():
                self._say(sentence)
        if not self._touched:
            steps = any(op.kind not in _SHARES_NOTHING for _, op, _ in s.log)
            self._touched = steps or any(task.blocked is not None for task in s.tasks)

    def trace(self) -> Uses:
        """Return which threads use the places in ``changing``, from a few more executions.

        The executions that showed a change run again: in another order the place may not change, or another
        thread may change it.
        """
        with self.traced() as uses:
            # Twice: Python 3.13 may trace no instruction in the first call of a function that is traced.
            for strategy in (*self._orders, *self._orders, *(InTurn() for _ in range(TRACED))):
                self._execute(strategy)
        return uses

    @contextmanager
    def traced(self) -> Iterator[Uses]:
        """Trace each execution inside the ``with`` block."""
        self.uses = uses = Uses.of(self.changing)
        osthreads.take_lost_interrupts()
        try:
            yield uses
        finally:
            self.uses = None

    def conclude(self, fit: bool) -> None:
        """Report at the end of the run what was not seen; ``fit``: whether there may be more executions."""
        if self._floor.runs and not self._touched:
            self._floor.blind_spots.say(NOTHING)
        doubtful = self.changing - self.ordered
        for sentence in self.trace().sentences(doubtful) if doubtful and fit else ():
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._floor.blind_spots.say(f"{self._floor.program.name}: {sentence}")
