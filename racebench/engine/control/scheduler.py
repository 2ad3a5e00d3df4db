"""The controlled engine: real OS threads that run one at a time, one execution after another.

The scheduler puts its parts together and leads them through an execution: the floor, which the threads
share; their workers; the values that fields hold; the lookout for changes that no step announces; the
end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import get_ident
from typing import Any

from ...primitives import State, installed
from ...primitives.runtime import eras
from ...program import Program
from ...trace import Schedule
from .. import osthreads
from ..blind_spots import outlives
from ..delays import delayed_fields, late
from ..garbage import tamed
from ..instrument import Twins, derived
from ..places import pinned
from ..real import run as real
from ..shield import Shield
from . import interrupts
from .children import Children
from .clock import Clock
from .ending import Ending
from .execution import Chooser
from .execution import Outcome as Outcome
from .floor import Floor
from .holdings import Holdings
from .lookout import Lookout
from .primitives import substitutes, wait_until
from .states import States
from .stores import Buffers, Draining
from .task import Task as Task
from .thread_pool import ThreadPool

MAX_STEPS = 10_000
"""Steps after which an execution counts as a livelock."""


_COLLECT_EVERY = 64
_MOST_HASHES = 1_000

_MOST_HANGS = 2
"""The first hang ends the search; after the second nothing more is run to explain the findings."""


class Scheduler:
    """Runs one Program's threads, one execution after another; meanwhile it is the runtime.

    Use as a context manager: it owns the worker threads, the process's runtime and, where the OS offers it,
    the caller's CPU affinity, and restores all of them.
    ``looks``: also look for changes that no step announces, which is useless if nobody asks what was unseen.
    """

    numbers: bool = True

    def __init__(
        self,
        program: Program,
        *,
        stall_s: float = osthreads.STALL_S,
        max_steps: int = MAX_STEPS,
        looks: bool = True,
    ) -> None:
        self.program, self._stall_s = program, stall_s
        threads = [
            Task(i, n, f, daemon=n in program.daemons) for i, (n, f) in enumerate(program.threads.items())
        ]
        self.floor = floor = Floor(program, threads, interrupts.tasks_of(program, threads), max_steps)
        self.lost, self.blind_spots = floor.lost, floor.blind_spots
        self._shield = Shield()
        self.lookout = Lookout(floor, looks, partial(self.run, always_ask=True))
        self._workers = ThreadPool(floor, self.lookout)
        self._ending = Ending(floor, stall_s)
        self._holdings = Holdings(floor)
        self.check_failed, self.created = floor.check_failed, floor.created
        self.children = Children(floor)
        self.children.hire = self._workers.hire
        self.enrol, self.spawn = self.children.enrol, self.children.spawn
        self.wait_until, self.irqs = partial(wait_until, floor), partial(interrupts.switch, floor)
        self.clock = Clock(floor)
        self.buffers: Buffers | None = None
        delayed = delayed_fields(program)
        if delayed:
            self.buffers = made = Buffers(floor, delayed)
            floor.tasks = floor.tasks + made.actors
            floor.draining, floor.fence = partial(Draining, made), made.fence
            self.created = made.created
            self._holdings.names.update(load=made.load, store=made.store)
        recycles = program.recycle is not None and self.buffers is None
        self._states = States(floor, self._holdings, recycles)
        self.tasks, self.fence = floor.tasks, floor.fence
        self._first_era = next(eras) << 40
        self.types: dict[type, Any] = dict(substitutes(floor, self.fence if delayed else None))
        self._twins = Twins(self._holdings.names, self._holdings.accessor, self._holdings.copier)

    # -- the runtime interface (primitives.Runtime)

    def substitute(self, cls: type) -> Any:
        if issubclass(cls, State):
            if cls._rb_delayed and self.buffers is None:
                raise late(cls)
            own = self._twins.of(cls)
        else:
            own = derived(cls, self.types)
        self.types[cls] = own
        return own

    @property
    def era(self) -> int:
        return self._first_era + self.floor.runs

    def hand_over(self, what: str, value: Any) -> None:
        self.lookout.handed(what, value)

    def outlives(self, what: str) -> None:
        self.blind_spots.say(f"{self.program.name}: {outlives(what)}")

    def execution(self) -> int:
        """Return the number of the present execution."""
        return self.floor.runs

    def without_numbers(self, make: Callable[[], Any]) -> Any:
        """Return what ``make`` makes; the objects that it makes are not counted."""
        self.numbers = False
        try:
            return make()
        finally:
            self.numbers = True

    def next_hash(self) -> int:
        me, serials = self.floor.current, self.floor.serials
        who = -1 if me is None else me.index
        n = serials["hash", who] = serials.get(("hash", who), 0) + 1
        return (who + 2) * _MOST_HASHES + n

    def running(self) -> Any:
        task = self.floor.workers.get(get_ident())
        return None if task is None else task.runs or task

    def runs_program(self) -> bool:
        me = get_ident()
        return not osthreads.starting.now and (
            me in self.floor.workers or (self._states.setting_up and me in self.floor.ours)
        )

    # -- executions, from the controlling thread

    def run(self, strategy: Chooser, *, always_ask: bool = False) -> Outcome:
        """Run one execution under ``strategy``.

        ``always_ask`` has the strategy asked even when only one task can run.
        Raises what a strategy or a replay raised; HarnessBug if RaceBench erred.
        """
        floor = self.floor
        floor.runs += 1
        if not floor.runs % _COLLECT_EVERY:
            self._collector.collect()
        self._set_up(strategy, always_ask)
        outcome = floor.outcome
        before = self.lookout.before(outcome.state)
        strategy.begin()
        # A recorded schedule is followed to its end, however long it is.
        known = self.lookout.sees_all and floor.recorder is None and self.buffers is None
        first = floor.start(max(floor.limit, getattr(strategy, "length", 0)), known)
        with self._shield:
            first.baton.release()
            self._ending.await_end()
        floor.ask_again()
        floor.strangers.check()
        self.lookout.after(before)
        if floor.error is not None:
            raise floor.error
        if outcome.unfair:
            self.blind_spots.say(outcome.unfair)
        if floor.recorder is not None:
            floor.recorder.end()
        self._holdings.execution_is_over()
        if self.lookout.uses is None:
            self._ending.conclude()
        self._states.execution_is_over()
        outcome.faults += floor.might_end
        return outcome

    def _set_up(self, strategy: Chooser, always_ask: bool) -> None:
        """Reset everything as it is before the first step, with a state of its own."""
        floor = self.floor
        floor.prepare()
        self._holdings.begin()
        floor.follow(strategy, always_ask)
        for task in floor.tasks:
            task.reset()
        for task in floor.interrupts:
            interrupts.offer(task)
        if self.buffers is not None:
            self.buffers.reset()
        floor.outcome.state = self._states.next()
        if floor.recorder is not None:
            floor.outcome.before = self.program.pictured(floor.outcome.state)

    def order(self, schedule: Schedule) -> list[int]:
        """Return the index of the task that makes each step of ``schedule``."""
        index = {task.name: task.index for task in self.tasks}
        return [index[name] if name in index else self.children.named(name).index for name, _, _ in schedule]

    @property
    def fit(self) -> bool:
        """Whether another execution is worth its price: a thread that makes no steps costs seconds.

        An execution that ran out of stack inside a strategy counts as well: what the strategy knows of it
        may be wrong.
        """
        return not self.lost and self.floor.hangs < _MOST_HANGS

    # -- the run

    def __enter__(self) -> Scheduler:
        self._scope = self._running()
        self._scope.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._scope.__exit__(*exc)

    @contextmanager
    def _running(self) -> Iterator[None]:
        with (
            installed(self),
            pinned(),
            tamed() as self._collector,
            self._shield.installed(),
            real.installed(self.program, self.blind_spots.say) as seen,
        ):
            self._holdings.see(seen)
            self._workers.start()
            try:
                yield
                self.floor.strangers.check()
                self.lookout.conclude(self.fit)
            finally:
                with self._shield:
                    self._workers.close(self._stall_s)
                # An object that outlives the run, as a queue that library code keeps, refers to the floor.
                self.floor.prepare()
                self._holdings.begin()
                for task in self.tasks:
                    task.reset()
