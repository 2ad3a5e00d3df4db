"""What an execution is looked at for that no step announces.

In an execution now and then: pictures of what the threads can reach, before and
after and at its steps, and what they have in common outside the program's objects.
In a few more, if something had changed: who uses it.
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
from .floor import Floor
from .objects import Known
from .overseer import Anyone
from .pictures import Picture, Place
from .plain_accesses import TRACED, Uses
from .task import Task

_STEPS = {Floor.point.__code__, Floor.block_or_go.__code__}
_LOOKS = 64
"""Steps of one execution that are looked at one after another; from there on ever fewer are."""
_CLOSELY = 3
"""The first executions, of which the steps are looked at."""
_LARGE = 2_000
"""From so many places on a look is dear."""
TOUCHES_NOTHING = {Kind.INTERRUPT, Kind.RETURN, Kind.IRQS_OFF, Kind.IRQS_ON}
_SHARES_NOTHING = {*TOUCHES_NOTHING, Kind.START, Kind.END, Kind.JOIN}


class _Again(Anyone):
    """A strategy: ``tasks`` in their order, as far as they can go on; from there anyone."""

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

    ``changing`` is what pictures have shown to change, but for what a search has shown to be
    ``ordered`` by the steps it may be used unseen.  ``watch`` calls a
    thread's part in the present execution, looking at it, if it is looked at;
    the workers read it after a release of a baton, all of which come after
    ``before`` has set it.
    ``looks``: whether pictures are taken, which is in vain where nobody asks.
    ``execute`` runs an execution more under a strategy, which is asked at each step.
    """

    def __init__(self, floor: Floor, looks: bool, execute: Callable[[Chooser], Any]) -> None:
        self._floor, self._looks, self._execute = floor, looks, execute
        self.changing: set[Place] = set()
        self.ordered: set[Place] = set()
        self._orders: list[_Again] = []
        self.watch: Callable[[Task, Callable[[], None]], None] | None = None
        self.uses: Uses | None = None
        self._environment = Environment()
        self._known = Known()
        self._touched = False
        self._picture: Picture | None = None

    def before(self, state: Any) -> Picture | None:
        """Look at what the first step finds; the picture is for ``after``."""
        s, uses = self._floor, self.uses
        if uses is not None:
            uses.begin(s.log, partial(Picture, s.program, state, self._known))
            self.watch = lambda task, call: traced(uses.tracer(task), call)
            return None
        self.watch = self._picture = None
        if not self._looks or s.runs & (s.runs - 1):
            return None
        self._picture = picture = Picture(s.program, state, self._known)
        self._environment, self._steps, self._already = Environment(), 0, len(self.changing)
        self._closely = s.runs < _CLOSELY
        self.watch = lambda task, call: profiled(partial(self.look, task, picture), call)
        osthreads.take_lost_interrupts()
        return picture

    @property
    def sees_all(self) -> bool:
        """Whether the present execution is not looked at, and those that were showed nothing unseen."""
        return self._looks and self.watch is None and not (self.changing or self._floor.blind_spots.anything)

    def handed(self, what: str, value: Any) -> None:
        """A thread is given ``value``, which others may have as well; asked by whoever has the floor."""
        if self._picture is not None:
            self._picture.add(what, value)

    def look(self, task: Task, picture: Picture, frame: FrameType, event: str, called: Any) -> None:
        """What ``sys.setprofile`` calls in the thread of ``task``, which has the floor: one has it at a time.

        The overseer knows by the name that a thread in here is on its way.
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
        """Look at what the execution has left."""
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
        """Who uses what is ``changing``, from a few executions more.

        Those that have shown it are run again: in another order it may not change, or by another thread.
        """
        with self.traced() as uses:
            # Twice: Python 3.13 may trace no instruction in the first call of a function that is traced.
            for strategy in (*self._orders, *self._orders, *(Anyone() for _ in range(TRACED))):
                self._execute(strategy)
        return uses

    @contextmanager
    def traced(self) -> Iterator[Uses]:
        """Each execution is traced meanwhile."""
        self.uses = uses = Uses.of(self.changing)
        osthreads.take_lost_interrupts()
        try:
            yield uses
        finally:
            self.uses = None

    def conclude(self, fit: bool) -> None:
        """The run is over: say what was not seen; ``fit``: whether there may be more executions."""
        if self._floor.runs and not self._touched:
            self._floor.blind_spots.say(NOTHING)
        doubtful = self.changing - self.ordered
        for sentence in self.trace().sentences(doubtful) if doubtful and fit else ():
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        self._floor.blind_spots.say(f"{self._floor.program.name}: {sentence}")
