"""Search with a bound on preemptions: every schedule that stays within it.

No reduction: within a small bound the schedules are few, and a reduction that is sound without a bound
is not sound with one.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import ProgramError
from ...trace import Kind
from ..control.scheduler import Outcome, Scheduler
from ..control.task import Task
from .path import WAITS

_MOST_POWER = 8
"""In an execution that is short enough to be searched, more spare preemptions are not used up."""
_LITTLE = 1e-3


class _Choice:
    """The threads that may go on at one step, in the order to be tried; the first is being tried.

    ``spare`` preemptions are left before it.  Where the last thread ``goes_on``, it is the first, and to
    choose another is a preemption; if no preemption was left, ``barred`` others were excluded.  The choice
    was ``entered`` after so many executions, and its present branch ``begun``.
    """

    __slots__ = ("barred", "begun", "done", "entered", "goes_on", "left", "spare")

    def __init__(self, left: list[int], spare: int, goes_on: bool, barred: int, entered: int) -> None:
        self.left, self.spare, self.goes_on, self.barred = left, spare, goes_on, barred
        self.entered = self.begun = entered
        self.done = 0


class PreemptionBounded:
    """Depth-first search over all schedules with at most ``bound`` preemptions.

    A preemption is a step by another thread than the last, which could have gone on; an interrupt and a
    store that leaves its buffer are such steps as well.  A thread that could only time out waits: to go on
    with another is no preemption.  ``preempted`` has the preemptions of the execution that has just run.
    """

    redundant = 0

    def __init__(self, scheduler: Scheduler, bound: int) -> None:
        self.scheduler, self.bound = scheduler, bound
        self.executions = 0
        self._path: list[_Choice] = []
        self._depth = self.used = 0
        self._last: int | None = None
        self.preempted: list[int] = []
        self.cut = self.complete = False
        self.barred = 0
        """The schedules with one more preemption: about one for each schedule that passes a barred choice."""
        self._sizes: dict[int, list[float]] = {}

    def begin(self) -> None:
        self._depth = self.used = 0
        self._last = None
        self.preempted = []

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        by_index = {task.index: task for task in enabled}
        goes_on = self._last in by_index and by_index[self._last].op.kind is not Kind.TIMEOUT
        if self._depth == len(self._path):
            self._path.append(self._choice(list(by_index), goes_on))
        choice = self._path[self._depth]
        chosen = choice.left[0]
        if chosen not in by_index:
            raise ProgramError("the program is not deterministic: a thread that could go on cannot now.")
        if goes_on and chosen != self._last:
            self.used += 1
            self.preempted.append(self._depth)
        self._depth += 1
        self._last = chosen
        return by_index[chosen]

    def _choice(self, enabled: list[int], goes_on: bool) -> _Choice:
        """Return the last thread first; the others only if a switch is free or still allowed."""
        at, spare = self.executions, self.bound - self.used
        if self._last is None or not goes_on:
            return _Choice(enabled, spare, False, 0, at)
        others = [i for i in enabled if i != self._last]
        if not spare:
            # Some schedules lie beyond the bound: this search alone proves no more.
            self.cut = self.cut or bool(others)
            return _Choice([self._last], 0, True, len(others), at)
        return _Choice([self._last, *others], spare, True, 0, at)

    def execute(self) -> Outcome:
        outcome = self.scheduler.run(self, always_ask=True)
        self.executions += 1
        return outcome

    def advance(self) -> bool:
        """Go to the next schedule; return False when there is none."""
        length = len(self._path)
        while self._path:
            choice = self._path[-1]
            choice.left.pop(0)
            if choice.goes_on and choice.done:
                spare = min(choice.spare - 1, _MOST_POWER)
                size = self._sizes.setdefault(spare, [0, 0.0])
                size[0] += self.executions - choice.begun
                size[1] += float(length - len(self._path) + 1) ** spare
            choice.done += 1
            choice.begun = self.executions
            if choice.left:
                return True
            self.barred += choice.barred * (self.executions - choice.entered)
            self._path.pop()
        self.complete = True
        return False

    def total(self) -> float:
        """Return an estimate of all executions: those done, and for each open branch what such branches take.

        A branch with preemptions to spare can place each of them at any later step, so its size grows with a
        power of the remaining length of the execution.
        """
        total, length = 1.0, len(self._path)
        for depth in range(length - 1, -1, -1):
            choice = self._path[depth]
            before = choice.begun - choice.entered
            if choice.goes_on:
                size = self._size(choice.spare - 1, length - depth)
            else:
                size = (before + total) / (choice.done + 1)
            total += before + size * (len(choice.left) - 1)
        return total

    def _size(self, spare: int, length: int) -> float:
        """Return about how many executions follow a preemption, ``length`` steps from the end.

        ``spare`` preemptions are left after it.
        """
        spare = min(spare, _MOST_POWER)
        for known in range(spare, -1, -1):
            if known in self._sizes:
                executions, places = self._sizes[known]
                return float(executions / places * length**spare)
        return float(length**spare)

    def done(self) -> float:
        """Return an estimate of the explored share, 0..1."""
        return 1.0 if self.complete else min(1.0, self.executions / self.total())


class Sweep:
    """The schedules that differ in one choice from the straight one, where a thread goes on while it can.

    The earliest choices come first, at most ``most`` schedules.  It proves nothing, but finds the faults
    that a single choice shows.  A depth-first search reaches such a choice last if it is an early one: ten
    threads that never preempt one another have three million orders.  (The first round of a limited
    discrepancy search: Harvey and Ginsberg, 1995.)
    """

    def __init__(self, scheduler: Scheduler, most: int) -> None:
        self.scheduler, self.most = scheduler, most
        self.executions = 0
        self._others: list[int] = []
        # The first schedule is the straight one, without a different choice.
        self._at, self._which = -1, 0
        self._depth = 0

    def begin(self) -> None:
        self._depth = 0

    def pick(self, enabled: list[Task], current: Task | None) -> Task:
        depth = self._depth
        self._depth += 1
        # Before the first step no thread goes on, whatever `current` says.
        straight = _straight(enabled, current if depth else None)
        if self._at < 0:
            self._others.append(len(enabled) - 1)
        if depth != self._at:
            return straight
        others = [task for task in enabled if task is not straight]
        if self._which >= len(others):
            raise ProgramError("the program is not deterministic: a thread that could go on cannot now.")
        return others[self._which]

    def execute(self) -> Outcome:
        outcome = self.scheduler.run(self, always_ask=True)
        self.executions += 1
        return outcome

    def advance(self) -> bool:
        """Go to the next schedule; return False when there is none, or enough were run."""
        self._which += 1
        while self._at < 0 or self._which >= self._others[self._at]:
            self._at, self._which = self._at + 1, 0
            if self._at == len(self._others):
                return False
        return self.executions < self.most


def _straight(enabled: list[Task], current: Task | None) -> Task:
    """Return the task that goes on if none is preempted, and none waits that need not."""
    if current is not None and current in enabled and current.op.kind not in WAITS:
        return current
    return next((task for task in enabled if task.op.kind not in WAITS), enabled[0])


class Ladder:
    """Bounds 0, 1, 2, ... in turn, up to ``last`` if that is given.

    ``bound`` is the one being searched, ``proved`` the largest that was covered.  ``_sizes`` has how many
    executions each covered bound took, and ``_next`` how many the next one is likely to take.
    A bound that kept nothing out has covered every schedule: the search is ``complete``.
    """

    def __init__(self, scheduler: Scheduler, last: int | None = None) -> None:
        self.scheduler, self.last = scheduler, last
        self.proved: int | None = None
        self.complete = False
        self.bound = 0
        self._before = 0
        self._sizes: list[float] = []
        self._next = 1.0
        self._rung = PreemptionBounded(scheduler, 0)

    @property
    def executions(self) -> int:
        return self._before + self._rung.executions

    def execute(self) -> Outcome:
        return self._rung.execute()

    def advance(self) -> bool:
        """Go to the next schedule, or the next bound; return False when there is none."""
        rung = self._rung
        if rung.advance():
            return True
        if not rung.complete:
            return False
        self.proved = self.bound
        self.complete = not rung.cut
        if self.complete or self.bound == self.last:
            return False
        self._before += rung.executions
        self._sizes.append(float(rung.executions))
        self._next = float(rung.executions + rung.barred)
        self.bound += 1
        self._rung = PreemptionBounded(self.scheduler, self.bound)
        return True

    def done(self) -> float:
        """Return an estimate of the explored share of all up to the last bound, or to the present one."""
        rung, expected = self._rung, [*self._sizes]
        share = rung.done()
        expected.append(rung.executions / share if share else self._next)
        if self.last is not None and (rung.cut or not share):
            expected += self._beyond(expected, rung.barred / share if share else 0.0)
        return self.executions / sum(expected)

    def _beyond(self, expected: list[float], barred: float) -> Iterator[float]:
        """Yield about how large the later bounds are, after ``expected`` ones and ``barred`` schedules."""
        assert self.last is not None
        size = expected[-1]
        before = size - (expected[-2] if len(expected) > 1 else 0.0)
        new = barred or before
        for bound in range(len(expected), self.last + 1):
            if not _LITTLE * size < new < float("inf"):
                return
            size += new
            yield size
            # Of n places for k preemptions there are (n - k) / (k + 1) times as many for one more.
            before, new = new, new * (new / before) * bound / (bound + 1) if before else 0.0
