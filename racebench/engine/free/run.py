"""The free-running engine: the same program on OS threads that run without control.

A batch is many independent collisions: the coordinator sets up that many states, every worker runs its
thread function on each of them in order, and the coordinator checks them all.  So there is one barrier
per batch, not one per collision.

What orders the accesses:
- states, setting and a worker's counters are written by the coordinator while all workers sleep on their
  ``go`` lock, and by their worker otherwise; ``go`` and ``done`` order the two.
- ``slot`` (the collision a worker is in) is written by its worker and read by others without a lock: it
  only grows within a batch, so an old value means "may still come", which is the safe side.
- ``faults`` of a worker are appended by the worker, or by a thread that holds ``Waits.mutex`` while the
  worker sleeps, and read at rest.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from ...errors import ProgramError, ThreadAbort
from ...primitives import Field, State
from ...primitives.runtime import eras
from ...program import Program
from .. import osthreads
from ..blind_spots import BlindSpots
from ..delays import late
from ..instrument import VALUE, Twins, derived
from ..stillness import own_clock
from ..strangers import Strangers, called
from ..stuck import crash_fault, error_fault, leak_fault
from .batches import LARGEST
from .children import Children
from .clock import Clock
from .fast_path import STEP
from .noise import Noise
from .parking import wait_until
from .primitives import substitutes
from .waits import Waits
from .worker import Here, Worker


def _accessor(declared: Field) -> tuple[str, str, dict[str, str]]:
    return f"{STEP}\n    return self.{VALUE}", STEP, {}


class FreeRun:
    """The runtime of one ``stress`` call, and the work of its threads."""

    numbers = False

    def __init__(self, program: Program, seed: int) -> None:
        self.program = program
        self.local = Here()
        self.tick = itertools.count().__next__
        self.namespace: dict[str, Any] = {"noisy": False}
        self.workers = [
            Worker(i, n, f, seed, n in program.daemons) for i, (n, f) in enumerate(program.threads.items())
        ]
        self.everyone = list(self.workers)
        self.noise = Noise(self.everyone)
        self.clock = Clock(self._dismissed)
        self.waits = Waits(self.everyone, self._about_to_sleep, self.tick)
        self.children = made = Children(program.name, self.everyone, self.local, seed)
        made.mutex, made.tick, made.part_over = self.waits.mutex, self.tick, self.waits.part_over
        made.refuel, made.ended = self._refuel, self._ended
        self.enrol, self.spawn = made.enrol, made.spawn
        self.namespace.update(outside=self.outside, jolt=self.noise.jolt, **self.local.names())
        self.era = next(eras) << 40
        self.states: list[Any] = []
        self.spent: list[Any] = []
        self.stopping = self._closing = self._setting_up = False
        self.stalled = threading.Event()
        self.strangers, self.blind_spots = Strangers(program.name), BlindSpots()
        # The threads that may touch a collision's state besides the workers: this one, later the watchdog.
        self.allowed = {threading.get_ident()}
        self.refusal = ""
        self.touched = False
        self.watchdog_error: Exception | None = None
        self.types: dict[type, Any] = dict(substitutes(self))
        self._twins = Twins(self.namespace, _accessor)

    # -- the runtime interface (primitives.Runtime)

    def substitute(self, cls: type) -> Any:
        if issubclass(cls, State):
            if cls._rb_delayed:
                raise late(cls)
            own = self._twins.of(cls)
        else:
            own = derived(cls, self.types)
        self.types[cls] = own
        return own

    def created(self, obj: Any) -> None:
        """Never called: objects are told apart by class and index only."""

    def wait_until(self, predicate: Callable[[], Any]) -> None:
        wait_until(self, predicate)

    def hand_over(self, what: str, value: Any) -> None:
        """Do nothing: uncontrolled threads use the real objects, seen or not."""

    def outlives(self, what: str) -> None:
        """Do nothing: one era has all the collisions, and an object made in another one is as real as any."""

    def execution(self) -> Any:
        """Return the batch and collision that the calling thread is in."""
        me = self.local.worker
        return None if me is None else (me.batch, me.slot)

    def without_numbers(self, make: Callable[[], Any]) -> Any:
        return make()

    def next_hash(self) -> int:
        return self.tick()

    def running(self) -> Any:
        me = self.local.worker
        return None if me is None else me.runs or me

    def runs_program(self) -> bool:
        return not osthreads.starting.now and (
            self.local.worker is not None or (self._setting_up and threading.get_ident() in self.allowed)
        )

    def irqs(self, on: bool | None) -> bool:
        me = self.local.worker
        if me is None:
            return True
        were = me.irqs
        if on is not None:
            me.irqs = on
        return were

    def fence(self) -> None:
        """Do nothing: no store is kept back."""

    def outside(self) -> None:
        """Refuse a caller that is neither a worker nor the coordinator nor the watchdog."""
        if threading.get_ident() not in self.allowed and not self._closing:
            self.strangers.caught(called())

    def check_failed(self, rule: str, message: str) -> None:
        me = self.local.worker
        if me is None:
            self.outside()
            raise ProgramError(f"{self.program.name}: check_that failed outside the threads: {message}")
        if not me.aborted:
            fault = crash_fault(rule, message, osthreads.caller_site(), self.tick())
            me.faults.append((me.slot, fault))
        raise ThreadAbort

    # -- what workers do

    def step(self) -> None:
        """Make a noisy step: count down to the next jolt."""
        me = self.local.worker
        if me is None:
            self.outside()
            return
        if me.fuel > 0:
            me.fuel -= 1
        else:
            self.noise.jolt(me)

    def maybe_step(self) -> None:
        if self.namespace["noisy"]:
            self.step()

    def set_noisy(self, noisy: bool) -> None:
        self.namespace["noisy"] = noisy

    def quietly(self, test: Callable[[], Any]) -> bool:
        """Return ``test()``, evaluated without noise in the calling thread; True if it raises."""
        me = self.local.worker
        fuel = 0 if me is None else me.fuel
        if me is not None:
            me.fuel = 1 << 60
        try:
            return bool(test())
        except Exception:
            return True
        finally:
            if me is not None:
                me.fuel = fuel

    def _about_to_sleep(self, me: Worker) -> None:
        self.noise.let_go()

    def _refuel(self, me: Worker) -> None:
        self.noise.refuel(me, me.rng)

    def _ended(self, me: Worker) -> None:
        """Handle the end of a thread that the program started."""
        if me.held:
            self._leaked(me, me.slot)
        self.noise.let_go()

    def _dismissed(self) -> bool:
        """Return whether the caller is a daemon, and all non-daemons have left its collision."""
        me = self.local.worker
        if me is None or not me.daemon:
            return False
        with self.waits.mutex:
            return all(w.daemon or w.slot > me.slot or w.idle for w in self.everyone)

    def work(self, me: Worker) -> None:
        me.clock = own_clock()
        while True:
            me.go.acquire()
            if self._closing:
                return
            try:
                self._batch(me)
            except ThreadAbort:
                # The watchdog's interrupt came between two collisions.
                me.aborted = False
            if me.lost:
                # No thread waits for us any more, and the locks that we held were taken from us.
                return
            me.slot = len(self.states)
            me.idle = True
            self.noise.let_go()
            me.done.release()

    def _batch(self, me: Worker) -> None:
        states, results, function = self.states, me.results, me.function
        assert function is not None
        noise, waits, held = self.noise, self.waits, me.held
        begins = not me.index and any(self.children.waiting)
        for i in range(len(states)):
            me.slot = i
            me.irqs = True
            if self.stopping:
                return
            if begins:
                self.children.begin(me, i)
            try:
                results[i] = function(states[i])
            except ThreadAbort:
                pass
            except BaseException as error:
                if not me.aborted:
                    me.faults.append((i, error_fault(me.name, error, self.tick())))
            if me.lost:
                return
            if held:
                self._leaked(me, i)
            if me.aborted:
                self._aborted(me)
            if noise.held is not None:
                noise.pass_by(me, i)
            me.slot = i + 1
            if waits.sleepers:
                waits.part_over(i)

    def _leaked(self, me: Worker, slot: int) -> None:
        for lock, _, _ in tuple(me.held):
            if not getattr(lock, "strict", True):
                lock.left_by(me)
        if me.held and not me.aborted:
            me.faults.append((slot, leak_fault(me, self.tick())))
        for lock, _, _ in reversed(tuple(me.held)):
            lock.abandon(me)
        me.held.clear()

    def _aborted(self, me: Worker) -> None:
        with self.waits.mutex:
            me.aborted = False

    # -- what the coordinator does

    def end_early(self) -> None:
        """End the run with what is known, since a worker stalled."""
        self.stopping = True
        self.stalled.set()

    def start(self) -> None:
        for worker in self.workers:
            worker.thread = osthreads.started(self.local.run, worker.name, worker, self.work)

    def close(self) -> None:
        self.stopping = self._closing = True
        self.noise.let_go()
        for worker in self.everyone:
            if worker.child and worker.idle:
                worker.function = None
            # A worker that is lost ends when it comes back.
            worker.go.release()
        for worker in self.everyone:
            if not worker.lost and worker.thread is not None:
                worker.thread.join()

    def forget(self) -> None:
        """Drop the run's objects at its end: library code may keep a queue, and through it the run."""
        self.states, self.spent = [], []
        self.children.clear(0)
        for worker in self.everyone:
            worker.results, worker.runs, worker.parked = [], None, None
            if worker.child:
                worker.function = None

    def retire(self) -> None:
        """Drop the states of the batch that was checked, except those fit to be used again."""
        if self.program.recycle is not None:
            spoilt = {slot for worker in self.everyone for slot, _ in worker.faults}
            fit = [s for slot, s in enumerate(self.states) if slot not in spoilt]
            self.spent = (fit + self.spent)[:LARGEST]
        self.states = []

    def prepare(self, size: int) -> None:
        """Make states for ``size`` collisions; ProgramError if setup or recycle raises."""
        fresh = self.program.fresh
        again, self.spent = self.spent[:size], self.spent[size:]
        self.states = [state for state in again if self.program.recycled(state)]
        self.children.clear(len(self.states))
        self._setting_up = True
        try:
            while len(self.states) < size:
                self.states.append(fresh())
                self.children.set_up()
        finally:
            self._setting_up = False
        for worker in self.everyone:
            worker.faults.clear()
        for worker in self.workers:
            worker.results = [None] * size
            worker.batch += 1
            worker.slot = 0
            worker.idle = False
            self.noise.refuel(worker, worker.rng)

    def collide(self) -> bool:
        """Run the prepared batch; return False if the run must end."""
        fuel = [worker.fuel for worker in self.workers]
        whole = self._collided()
        # Each noisy step uses some fuel.
        self.touched = (
            self.touched or self.children.touched or fuel != [worker.fuel for worker in self.workers]
        )
        return whole

    def _collided(self) -> bool:
        for worker in self.workers:
            worker.go.release()
        for worker in self.workers:
            while not worker.done.acquire(timeout=0.05):
                if self.stalled.is_set() and self._only_lost_left():
                    return False
        while not self.children.await_all(0.05):
            if self.stalled.is_set() and self._only_lost_left():
                return False
        return not self.stalled.is_set()

    def _only_lost_left(self) -> bool:
        return all(w.idle or w.lost for w in self.everyone)
