"""The free-running engine: the same program on OS threads that nothing holds back.

A batch is many independent collisions: the coordinator sets up that many
states, every worker runs its thread function on each of them in order, and
the coordinator checks them all.  One barrier a batch, not one a collision.

What orders the accesses:
- states, setting and a worker's counters are written by the coordinator while
  all workers sleep on their ``go`` lock, and by their worker otherwise; ``go``
  and ``done`` order the two.
- ``slot`` (the collision a worker is in) is written by its worker and read by
  others without a lock: it only grows within a batch, so an old value means
  "may still come", which is the safe side.
- ``events`` of a worker are appended by the worker, or by a thread that holds
  ``Waits.mutex`` while the worker sleeps, and read at rest.
"""

from __future__ import annotations

import itertools
import random
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ...errors import HarnessBug, ProgramError, ThreadAbort, told
from ...findings import Finding, Result, Verdict, miss_bound
from ...primitives import Field, State, installed
from ...program import Program
from ...trace import LockEdge
from .. import osthreads
from ..delays import late
from ..garbage import leaves_nothing, tamed
from ..instrument import SLOT, Twins, derived
from ..progress import PROGRESS_S, Progress, ProgressCall
from ..stillness import own_clock
from ..strangers import Strangers, called
from ..stuck import Event, crash_event, error_event, leak_event
from ..unseen import NOTHING, Unseen, judged
from .batches import LARGEST, Batches
from .noise import Adviser, Jolt, Noise
from .primitives import substitutes, wait_until
from .tally import FreeTally, Rings, no_rings
from .waits import Waits
from .watchdog import Watchdog


class _Local(threading.local):
    worker: Worker | None = None


class Worker:
    """One thread of the program, kept for the whole run."""

    def __init__(
        self, index: int, name: str, function: Callable[[Any], Any], seed: int, daemon: bool = False
    ) -> None:
        self.index, self.name, self.function, self.daemon = index, name, function, daemon
        self.rng = random.Random(seed * 1_000_003 + index)
        self.thread: threading.Thread | None = None
        self.clock: int | None = None
        self.go, self.done = _taken_lock(), _taken_lock()
        self.gate, self.hold = _taken_lock(), _taken_lock()
        self.idle, self.lost, self.aborted = True, False, False
        self.irqs = True
        self.batch = self.slot = 0
        self.fuel = 1
        self.obj: Any = None
        self.parked: object | None = None
        self.held: list[Any] = []
        self.chains: dict[Any, list[LockEdge]] = {}
        self.events: list[tuple[int, Event]] = []
        self.results: list[Any] = []

    suspended = False
    """A handler runs on the thread that it interrupts."""

    handling = ("", 0)
    """The interrupt being handled, and how many of ``held`` were taken before it came."""

    @property
    def awake(self) -> bool:
        """Whether this worker can still come to somebody who waits for it."""
        return not self.idle and self.obj is None


def _taken_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


def _accessor(declared: Field) -> tuple[str, str]:
    if declared.delayed:
        slot = repr(SLOT + declared.name)
        return f"return load(self, {slot})", f"store(self, {slot}, value)"
    return f"if noisy: noise()\n    return self.{SLOT}{declared.name}", "if noisy: noise()"


class FreeRun:
    """The runtime of one ``stress`` call, and the work of its threads."""

    numbers = False
    steps_matter = False
    """Whether something happens at steps even without noise."""

    def __init__(self, program: Program, seed: int) -> None:
        self.program = program
        self.local = _Local()
        self.tick = itertools.count().__next__
        self.namespace: dict[str, Any] = {"noisy": False, "noise": self.step}
        self.workers = [
            Worker(i, n, f, seed, n in program.daemons) for i, (n, f) in enumerate(program.threads.items())
        ]
        self.noise = Noise(self.workers)
        self.waits = Waits(self.workers, self._about_to_sleep, self.tick)
        self.states: list[Any] = []
        self.spent: list[Any] = []
        self.stopping = self._closing = False
        self.stalled = threading.Event()
        self.strangers, self.unseen = Strangers(program.name), Unseen()
        # Who may touch the state of a collision besides the workers: we, and later the watchdog.
        self.allowed = {threading.get_ident()}
        self.refusal = ""
        self.touched = False
        self.watchdog_error: Exception | None = None
        self.types: dict[type, Any] = dict(substitutes(self))
        self._twins = Twins(self.namespace, _accessor)

    # -- the runtime interface (primitives.Runtime)

    def substitute(self, cls: type) -> Any:
        if issubclass(cls, State):
            if cls._rb_delayed and "load" not in self.namespace:
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

    def irqs(self, on: bool | None) -> bool:
        me = self.local.worker
        if me is None:
            return True
        were = me.irqs
        if on is not None:
            me.irqs = on
        return were

    def fence(self) -> None:
        """Nothing is delayed."""

    def outside(self) -> None:
        """The caller is no worker: it is to be the coordinator or the watchdog."""
        if threading.get_ident() not in self.allowed and not self._closing:
            self.strangers.caught(called())

    def check_failed(self, rule: str, message: str) -> None:
        me = self.local.worker
        if me is None:
            self.outside()
            raise ProgramError(f"{self.program.name}: check_that failed outside the threads: {message}")
        if not me.aborted:
            event = crash_event(rule, message, osthreads.caller_site(), self.tick())
            me.events.append((me.slot, event))
        raise ThreadAbort

    # -- what workers do

    def step(self) -> None:
        """A noisy step: count down to the next jolt."""
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

    def has_due(self, me: Worker) -> bool:
        """Whether something must come to ``me`` before it sleeps."""
        return False

    def about_to_wait(self, me: Worker) -> None:
        """``me`` is going to sleep: let that come."""

    def quietly(self, test: Callable[[], Any]) -> bool:
        """``test()`` without noise in the calling thread; True if it raises."""
        me = self.local.worker
        fuel = me.fuel if me is not None else 0
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

    def work(self, me: Worker) -> None:
        self.local.worker = me
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
                # Nobody waits for us any more, and what we held is taken from us.
                return
            me.slot = len(self.states)
            me.idle = True
            self.noise.let_go()
            me.done.release()

    def _batch(self, me: Worker) -> None:
        states, results, function = self.states, me.results, me.function
        noise, waits, held = self.noise, self.waits, me.held
        for i in range(len(states)):
            me.slot = i
            me.irqs = True
            if self.stopping:
                return
            try:
                results[i] = function(states[i])
            except ThreadAbort:
                pass
            except BaseException as error:
                if not me.aborted:
                    me.events.append((i, error_event(me.name, error, self.tick())))
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
                waits.settle(i)

    def _leaked(self, me: Worker, slot: int) -> None:
        if not me.aborted:
            me.events.append((slot, leak_event(me, self.tick())))
        for lock, _, _ in reversed(me.held):
            lock.abandon(me)
        me.held.clear()

    def _aborted(self, me: Worker) -> None:
        with self.waits.mutex:
            me.aborted = False

    # -- what the coordinator does

    def end_early(self) -> None:
        """A worker stalled: the run ends with what is known."""
        self.stopping = True
        self.stalled.set()

    def start(self) -> None:
        for worker in self.workers:
            worker.thread = threading.Thread(
                target=self.work, args=(worker,), name=f"racebench-{worker.name}", daemon=True
            )
            worker.thread.start()

    def close(self) -> None:
        self.stopping = self._closing = True
        self.noise.let_go()
        for worker in self.workers:
            # One that is lost ends when it comes back.
            worker.go.release()
        for worker in self.workers:
            if not worker.lost and worker.thread is not None:
                worker.thread.join()

    def retire(self) -> None:
        """Drop the states of the batch that was checked, but for those fit to be used again."""
        if self.program.recycle is not None:
            spoilt = {slot for worker in self.workers for slot, _ in worker.events}
            fit = [s for slot, s in enumerate(self.states) if slot not in spoilt]
            self.spent = (fit + self.spent)[:LARGEST]
        self.states = []

    def _recycled(self, states: list[Any]) -> list[Any]:
        recycle = self.program.recycle
        if recycle is None:
            return []
        try:
            return [state for state in states if recycle(state)]
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise ProgramError(f"{self.program.name}: recycle raised {told(error)}. Mend recycle.") from error

    def prepare(self, size: int) -> None:
        """States for ``size`` collisions; ProgramError if setup or recycle raises."""
        fresh = self.program.fresh
        again, self.spent = self.spent[:size], self.spent[size:]
        self.states = self._recycled(again)
        self.states += [fresh() for _ in range(size - len(self.states))]
        for worker in self.workers:
            worker.results = [None] * size
            worker.events.clear()
            worker.batch += 1
            worker.slot = 0
            worker.idle = False
            self.noise.refuel(worker, worker.rng)

    def collide(self) -> bool:
        """Run the prepared batch; False if the run must end."""
        fuel = [worker.fuel for worker in self.workers]
        whole = self._collided()
        # Each noisy step takes some.
        self.touched = self.touched or fuel != [worker.fuel for worker in self.workers]
        return whole

    def _collided(self) -> bool:
        for worker in self.workers:
            worker.go.release()
        for worker in self.workers:
            while not worker.done.acquire(timeout=0.05):
                if self.stalled.is_set() and self._only_lost_left():
                    return False
        return not self.stalled.is_set()

    def _only_lost_left(self) -> bool:
        return all(w.idle or w.lost for w in self.workers)


@leaves_nothing
def stress(
    program: Program,
    seconds: float = 2.0,
    seed: int = 0,
    *,
    stop_on_first: bool = False,
    progress: ProgressCall | None = None,
    stall_s: float = osthreads.STALL_S,
    rings: Rings = no_rings,
) -> Result:
    """Hammer ``program`` on free-running OS threads for ``seconds``; see ``modes.stress``.

    ``rings`` says which orders of locks are inversions.
    """
    return Stress(program, seed, stall_s, progress, rings).go(seconds, stop_on_first)


class Stress:
    """One call of ``stress``."""

    def __init__(
        self,
        program: Program,
        seed: int,
        stall_s: float = osthreads.STALL_S,
        progress: ProgressCall | None = None,
        rings: Rings = no_rings,
    ) -> None:
        from .stores import free_run

        self.program, self.seed, self.progress = program, seed, progress
        self.run = free_run(program, seed)
        self.adviser = Adviser()
        self.tally = FreeTally(program, self.run, rings)
        self.interrupted = False
        self._stall_s = stall_s
        self.batches = Batches(len(self.adviser.settings))
        self._started = 0.0
        self._report_at = 0.0

    def go(self, seconds: float, stop_on_first: bool) -> Result:
        run, tally = self.run, self.tally
        self._started = self._report_at = time.perf_counter()
        watchdog = Watchdog(run, self._stall_s)
        with installed(run), osthreads.switch_interval_restored(), tamed() as collector:
            run.start()
            watchdog.start()
            try:
                # One batch at least: on a busy machine the threads may have taken all the time to start.
                while (seconds > 0 and not tally.collisions) or time.perf_counter() - self._started < seconds:
                    if not self._one_batch() or (stop_on_first and tally.failures):
                        break
                    run.retire()
                    collector.collect()
                    self._report()
            except KeyboardInterrupt:
                self.interrupted = True
                self._drain()
            except ProgramError as error:
                error.findings = tally.findings("stress", self.seed)
                raise
            finally:
                run.set_noisy(False)
                watchdog.close()
                run.close()
        if run.watchdog_error is not None:
            raise HarnessBug(f"the watchdog failed: {run.watchdog_error!r}") from run.watchdog_error
        return judged(self._result(time.perf_counter() - self._started), run.unseen.sentences())

    def _one_batch(self) -> bool:
        run, at = self.run, self.adviser.choose()
        setting = self.adviser.settings[at]
        size = self.batches.next(at)
        run.noise.setting = setting
        started = time.perf_counter()
        # Only noisy steps are looked at: in the first setup too, for a thread that it starts.
        run.set_noisy(not self.tally.collisions)
        run.prepare(size)
        sys.setswitchinterval(setting.switch_interval_s)
        run.set_noisy(run.steps_matter or setting.jolt is not Jolt.NONE)
        whole = run.collide()
        run.set_noisy(False)
        failures = self.tally.take(size, self._started)
        took = time.perf_counter() - started
        self.adviser.learn(at, took, failures)
        self.batches.took(at, size, took)
        run.strangers.check()
        if run.refusal:
            raise ProgramError(run.refusal)
        return whole

    def _drain(self) -> None:
        """After Ctrl-C: let the workers end their collision, and keep what they found."""
        run = self.run
        run.stopping = True
        run.noise.let_go()
        deadline = time.perf_counter() + 1.0
        while not all(w.idle for w in run.workers) and time.perf_counter() < deadline:
            time.sleep(0.005)
        for worker in run.workers:
            if not worker.idle:
                worker.lost = True
        run.set_noisy(False)

    def _report(self) -> None:
        now = time.perf_counter()
        if self.progress is not None and now >= self._report_at:
            self._report_at = now + PROGRESS_S
            note = str(self.run.noise.setting)
            self.progress(Progress(self.tally.collisions, self.tally.failures, now - self._started, note))

    def _result(self, seconds: float) -> Result:
        tally, adviser = self.tally, self.adviser
        findings: tuple[Finding, ...] = tally.findings("stress", self.seed)
        verdict = Verdict.FOUND if findings else Verdict.CLEAN
        if not findings and (self.interrupted or not tally.collisions):
            verdict = Verdict.UNKNOWN
        stats = {
            "miss_bound": miss_bound(tally.collisions, tally.failures),
            "contended": self.run.waits.contended,
            "detect_us": [ns / 1000 for ns in self.run.waits.detect_ns],
            "settings": [
                {"setting": str(s), "seconds": round(adviser.seconds[i], 3), "failures": adviser.failures[i]}
                for i, s in enumerate(adviser.settings)
            ],
            "guarded": dict(tally.guarded),
            "lost": [w.name for w in self.run.workers if w.lost],
        }
        if tally.collisions and not self.run.touched:
            self.run.unseen.say(NOTHING)
        result = Result(
            verdict, False, tally.collisions, seconds, findings, tally.first_finding,
            tally.failures, tally.first_s, self.interrupted, stats,
        )  # fmt: skip
        return result
