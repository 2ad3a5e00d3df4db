"""The controlled engine: real OS threads that run one at a time.

Hand-over: every worker sleeps on its own baton (a real lock).  The thread that
holds the floor decides who runs next, in its own stack: there is no scheduler
thread, so a step that does not switch costs no hand-over at all.

Guarantees:
- Exactly one thread touches scheduler and program state at any time; releasing
  a baton and acquiring it orders all accesses, with or without a GIL.
- Everything the next thread reads (``current``, the log, the offers) is written
  before its baton is released.
- An execution ends with every worker asleep on its baton, whatever the program
  did, or the worker is reported lost.

A thread *offers* an operation and performs it only when it is chosen, so the
strategy sees what each thread is about to do, and an offer that cannot be met
(a lock that is held) is known before anything blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import get_ident
from typing import Any, NoReturn

from ...errors import HarnessBug, ProgramError, ThreadAbort
from ...findings import Broken
from ...primitives import State, installed
from ...primitives.ops import INTERRUPT, SLEEP, WAKE
from ...program import Program
from ...trace import Kind, Op
from .. import osthreads
from ..delays import delayed_fields, late
from ..garbage import Collector, tamed
from ..instrument import Twins, derived
from ..numbering import Numbers
from ..shield import Shield
from ..stillness import own_clock
from ..strangers import Strangers, call_name, impure, starts_noticed, step_name
from ..stuck import (
    Event,
    crash_event,
    error_event,
    find_ring,
    leak_event,
    livelock_event,
    ring_event,
    wait_event,
    wanted_site,
)
from ..unseen import NOTHING
from . import interrupts
from . import stores as buffers
from .fairness import InTurn, spinning
from .floor import Chooser, Listener
from .floor import Recorder as Recorder
from .holdings import Holdings
from .outside import Clocks, Outside, profiled
from .overseer import Anyone, Overseer
from .pictures import Picture, Place
from .plain import TRACED, Uses, traced
from .primitives import substitutes, wait_until
from .task import Task as Task

MAX_STEPS = 10_000
"""Steps after which an execution counts as a livelock."""


_COLLECT_EVERY = 64

_TOUCHES_NOTHING = {Kind.INTERRUPT, Kind.RETURN, Kind.IRQS_OFF, Kind.IRQS_ON}

_MOST_LATE = 10_000
"""Steps that a thread may make while it unwinds: as many as the longest execution has."""

_MOST_HANGS = 2
"""One ends the search; another one, and nothing more is run to explain what was found."""


class Outcome:
    """One finished execution: its log, events, and what the check said.

    ``parts`` has the steps of each real execution in it, if it went on after a crash.
    ``unfair`` says who spun while others were kept waiting, if it ended only once all took turns.
    """

    __slots__ = ("before", "broken", "events", "log", "parts", "results", "state", "unfair")

    def __init__(self) -> None:
        self.unfair = ""
        self.log: list[tuple[Task, Op, Any]] = []
        self.events: list[Event] = []
        self.broken: tuple[Broken, ...] = ()
        self.results: dict[str, Any] = {}
        self.before: Any = None
        self.state: Any = None
        self.parts: list[list[int]] | None = None


class Scheduler(Numbers):
    """Runs one Program's threads, one execution after another.

    Use as a context manager: it owns the worker threads, the process's runtime
    and, where the OS offers it, the caller's CPU affinity, and puts all back.
    ``ghost`` says what a failed check does: end the execution (False), or stop
    its thread for ever while the others go on, which is what exhaustive search
    needs to see the steps that could have come before.  ``relation`` hears what
    predicates look at, during such a search.  ``looks``: also for what no step
    announces, which is in vain where nobody asks what was ``unseen``.
    """

    def __init__(
        self,
        program: Program,
        *,
        stall_s: float = osthreads.STALL_S,
        max_steps: int = MAX_STEPS,
        looks: bool = True,
    ) -> None:
        super().__init__()
        self.program = program
        self.stall_s, self.max_steps = stall_s, max_steps
        self._looks = looks
        self.ghost = False
        self.relation: Listener | None = None
        threads = [Task(i, n, f) for i, (n, f) in enumerate(program.threads.items())]
        self._threads = threads
        self._interrupts = interrupts.tasks_of(program, threads)
        self.tasks = threads + self._interrupts
        self.lost: list[str] = []
        self.hangs = 0
        self.recorder: Recorder | None = None
        self._shield = Shield()
        self._control = threading.Lock()
        self._control.acquire()
        self._closing = False
        self.fork = threading.Lock()
        self.strangers = Strangers(program.name)
        self.ours: frozenset[int] = frozenset()
        self._workers: dict[int, Task] = {}
        self._setting_up = False
        self.changing: set[Place] = set()
        self._uses: Uses | None = None
        self._outside: Outside | None = None
        self._overseer = Overseer(self)
        self.buffers: buffers.Buffers | None = None
        self._holdings = Holdings(self)
        self.unseen = self._holdings.unseen
        delayed = delayed_fields(program)
        if delayed:
            self.buffers = made = buffers.Buffers(self, delayed, self.created)
            self.tasks = self.tasks + made.actors
            self.created = made.created  # type: ignore[method-assign]
            self._holdings.names.update(load=made.load, store=made.store)
        fence = None if self.buffers is None else self.buffers.fence
        self.types: dict[type, Any] = dict(substitutes(self, fence))
        self._twins = Twins(self._holdings.names, self._holdings.accessor, self._holdings.copier)
        self._prepare()

    # -- what engine code reads during an execution; owned by the floor holder

    def _prepare(self) -> None:
        self.current: Task | None = None
        self.enabled: list[Task] = []
        self.many = False
        self.watchers: list[Task] = []
        self.spy: list[tuple[Op, Any]] | None = None
        self.seeing: Task | None = None
        self.outcome = Outcome()
        self.log = self.outcome.log
        self.crashed = False
        self.limit = self.max_steps
        self.error: BaseException | None = None
        self._too_deep: RecursionError | None = None
        self._unstarted: list[Task] = []
        self._might_end: list[Event] = []
        self.ending = False
        self._pick: Callable[[list[Task], Task | None], Task] = _nobody

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

    def fence(self) -> None:
        if self.buffers is not None:
            self.buffers.fence()

    def wait_until(self, predicate: Callable[[], Any]) -> None:
        wait_until(self, predicate)

    def irqs(self, on: bool | None) -> bool:
        return interrupts.switch(self, on)

    def caller(self, obj: Any = None) -> Task | None:
        """The task that calls, None in setup and check; a thread that is neither does not get that far."""
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
        """The calling thread makes the step ``what`` without the floor; returns if it has it after all."""
        task = self._workers.get(get_ident())
        if task is None:
            if self.ours:
                self.strangers.caught(what)
            return
        # The overseer may only be looking.
        with self.fork:
            if not task.out:
                return
        task.late += 1
        if task.late > _MOST_LATE:
            osthreads.sleep_for_ever()
        raise ThreadAbort

    def unwinding(self, me: Task) -> None:
        """``me`` makes a step though it was told to end: cleaning up, unless it goes on and on.

        Then its code catches every exception there is, and no other would help.  It has
        the floor, so it says so itself, gives the floor back and never wakes again.
        """
        me.late += 1
        if me.late <= _MOST_LATE:
            return
        self.unseen.say(
            f"{self.program.name}: {me.name} catches the exception that ends an execution, and goes on in "
            f"{osthreads.caller_site()}: catch Exception there, or raise it again"
        )
        me.alive = me.ready = False
        self.ending = True
        self.lost.append(me.name)
        self.current = None
        self._control.release()
        osthreads.sleep_for_ever()

    def check_failed(self, rule: str, message: str) -> None:
        task = self.caller()
        if task is None:
            raise ProgramError(
                f"{self.program.name}: check_that failed outside the threads: {rule}: {message}"
            )
        if task.aborted:
            raise ThreadAbort
        # From here the thread makes no more steps: unwinding releases nothing.
        task.aborted = self.crashed = True
        site = osthreads.caller_site()
        self.say(crash_event(rule, message, site, len(self.log)), task)
        if task.cpu is not None:
            self.settle(task.cpu, task)
        raise ThreadAbort

    def say(self, event: Event, *tasks: Task) -> None:
        """Keep ``event``, which is about what ``tasks`` did last."""
        event.by = tuple(task.index for task in tasks)
        self.outcome.events.append(event)

    # -- one step

    def point(self, op: Op, obj: Any) -> None:
        """Offer ``op`` on ``obj``; returns when the caller may perform it."""
        me = self.current
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
                chosen = self._pick(self.enabled, me)
            except BaseException as error:
                self.fail(me, error)
            if chosen is not me:
                self._switch(me, chosen)
        if self.recorder is not None:
            self.recorder.step(me, op, obj)
        log.append((me, op, obj))

    def block_or_go(self, me: Task) -> None:
        """As ``point``, for an offer already made that may not be ready."""
        if self.watchers:
            self.recheck()
        if not me.ready:
            self.refresh()
            ring = find_ring(me)
            if ring is not None:
                self.say(ring_event(me, ring, len(self.log)), *ring)
        if len(self.log) >= self.limit:
            self._overrun(me)
        try:
            chosen = self._next(me if me.ready else None)
        except BaseException as error:
            self.fail(me, error)
        if chosen is None:
            self._leave(me)
        elif chosen is not me:
            self._switch(me, chosen)
        if self.recorder is not None:
            self.recorder.step(me, me.op, me.obj)
        self.log.append((me, me.op, me.obj))

    def refresh(self) -> None:
        """Recompute who can run after readiness changed."""
        self.enabled = [t for t in self.tasks if t.ready]
        self.many = len(self.enabled) > 1 or self._always or bool(self._unstarted)

    def settle(self, obj: Any, me: Task) -> None:
        """``me`` changed ``obj``: see whose offer on it can be met now."""
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
        # Publish before the hand-over: from the release on, `chosen` runs.
        self.current = chosen
        chosen.baton.release()
        me.baton.acquire()
        if me.aborted:
            raise ThreadAbort

    def _leave(self, me: Task) -> None:
        """Nobody can run: give the floor back and sleep until aborted."""
        self.current = None
        self._control.release()
        me.baton.acquire()
        if me.aborted:
            raise ThreadAbort

    def fail(self, me: Task, error: BaseException) -> NoReturn:
        """A strategy ended the execution, or failed: then ``run`` raises ``error``.

        The error must not travel through the code under test, which may catch
        it.  From here ``me`` makes no more steps while it unwinds.
        """
        if isinstance(error, RecursionError):
            # The program's, not the strategy's; to be told where there is stack again.
            self._too_deep = error
        elif not isinstance(error, ThreadAbort):
            self.error = error
        # A crash before this lets the others go on after a thread is aborted; this does not.
        self._end_with(me)

    def _end_with(self, me: Task) -> NoReturn:
        """End the execution from within ``me``, and keep what it could not do."""
        if not me.ready and me.op is not SLEEP:
            me.blocked = me.op, me.obj
        me.aborted = self.ending = True
        raise ThreadAbort

    # -- picking

    def _first_pick(self, enabled: list[Task], current: Task | None) -> Task:
        """Until each thread has made its first offer, start the next one."""
        if self._unstarted:
            return self._unstarted.pop()
        if self.ending:
            raise ThreadAbort
        self._pick = self._strategy.pick
        self.refresh()
        return self._pick(self.enabled, current) if self.many else self.enabled[0]

    def _next(self, current: Task | None) -> Task | None:
        """Who runs next when the caller may be unable to; None if nobody can."""
        if self._unstarted:
            return self._unstarted.pop()
        if self.ending:
            raise ThreadAbort
        self.refresh()
        if not self.enabled:
            return None
        self.see_sleepers()
        return self._pick(self.enabled, current) if self.many else self.enabled[0]

    def see_sleepers(self) -> None:
        """Where only sleepers who may wake unasked are left: if they do not, this is the end.

        They will, and the execution has an end of its own; this one is told with it.
        """
        enabled = self.enabled
        if not enabled or enabled[0].op is not WAKE or any(task.op is not WAKE for task in enabled):
            return
        waiting = [t for t in self.tasks if t.alive and not t.suspended and t.name not in self.lost]
        for event in wait_event(waiting, self.outcome.events, len(self.log)):
            event.by = tuple(task.index for task in waiting)
            self._might_end.append(event)

    def _overrun(self, me: Task) -> None:
        """Too many steps: let all have their turns, and if it does not end then, it never does."""
        if self.limit >= 0 and not self.outcome.unfair:
            self.outcome.unfair = spinning(self.log)
            self.limit += self.max_steps
            fair = InTurn()
            draining = self.buffers and buffers.Draining(self.buffers, fair, True)
            self._pick = (draining or fair).pick
            return
        if self.limit >= 0:
            self.outcome.unfair = ""
            running = [task.name for task in self.tasks if task.alive]
            # What came before the turns shows it as well.
            at = self.limit - self.max_steps
            self.outcome.events.append(livelock_event(running, f"{len(self.log)} steps", at))
        self._end_with(me)

    # -- workers

    def _work(self, task: Task) -> None:
        task.clock = own_clock()
        while True:
            # The overseer's interrupt may come late, to a thread that is out and has unwound.
            with suppress(ThreadAbort):
                while True:
                    task.baton.acquire()
                    if self._closing:
                        return
                    self._perform(task)

    def _perform(self, task: Task) -> None:
        """``task``'s part in an execution; it has the floor."""
        error: BaseException | None = None
        try:
            if self._uses is not None:
                traced(self._uses.tracer(task), lambda: self.play(task))
            elif self._outside is not None:
                profiled(self._outside.profiler(task.name), lambda: self.play(task))
            else:
                self.play(task)
        except ThreadAbort:
            task.aborted = True
        except BaseException as raised:
            error = raised
        if task.ident != get_ident():
            with self.fork:
                out = task.out
            if out:
                task.back.release()
                return
        if task.aborted:
            error, self._too_deep = self._too_deep, None
            self.hangs += error is not None
        if error is not None:
            self.say(error_event(task.name, error, len(self.log)), task)
        self._finish(task)

    def play(self, task: Task) -> None:
        """Run the function of ``task``: what is above this in a stack is the program's."""
        if task.onto is None:
            task.result = task.function(self.outcome.state)
        else:
            interrupts.handle(self, task)

    def _finish(self, task: Task) -> None:
        """``task`` is over: pass the floor on; the caller then sleeps on its baton."""
        if task.held and not task.aborted:
            self.say(leak_event(task, len(self.log)), task)
        task.alive = task.ready = False
        task.obj = None
        if task.aborted and not (self.crashed and self.ghost):
            self.ending = True
        chosen = None
        if not self.ending:
            try:
                if self.watchers:
                    self.recheck()
                chosen = self._next(None)
            except ThreadAbort:
                self.ending = True
            except Exception as error:
                self.error, self.ending = error, True
        elif self.crashed and self._unstarted:
            # All threads start at once: what they do before their first step a crash does not prevent.
            chosen = self._unstarted.pop()
        self.current = chosen
        (chosen.baton if chosen is not None else self._control).release()

    # -- executions, from the controlling thread

    def run(self, strategy: Chooser, *, always_ask: bool = False) -> Outcome:
        """One execution under ``strategy``.

        ``always_ask`` has the strategy asked even when only one task can run.
        Raises what a strategy or a replay raised; HarnessBug if we erred.
        """
        self._runs += 1
        if not self._runs % _COLLECT_EVERY:
            self._collector.collect()
        self._prepare()
        self._serials.clear()
        self._ids.clear()
        self._holdings.begin()
        self._strategy, self._always = strategy, always_ask
        for task in self.tasks:
            task.reset()
        for task in self._interrupts:
            interrupts.offer(task)
        if self.buffers is not None:
            # It is asked at every step, so that it never has to be told of a buffer's.
            self._strategy, self._always = buffers.Draining(self.buffers, strategy, always_ask), True
            self.buffers.reset()
        outcome = self.outcome
        self._setting_up = True
        try:
            outcome.state = self.program.fresh()
        finally:
            self._setting_up = False
        self._holdings.setup_is_over()
        if self.recorder is not None:
            outcome.before = self.program.pictured(outcome.state)
        before = self._pictured(outcome.state)
        self._outside = None if before is None else Outside()
        if self._outside is not None:
            osthreads.take_lost_interrupts()
        strategy.begin()
        # A recording is followed to its end, however long it is.
        self.limit = max(self.limit, getattr(strategy, "length", 0))
        self._unstarted = self._threads[:0:-1]
        self._pick = self._first_pick
        self.many = True
        first = self.tasks[0]
        self.current = first
        with self._shield:
            first.baton.release()
            self._await_end()
        self.strangers.check()
        if before is not None:
            self.changing |= before.changed()
            self._say_of(before)
        if not self._touched:
            steps = any(op.kind not in _TOUCHES_NOTHING for _, op, _ in self.log)
            self._touched = steps or any(task.blocked is not None for task in self.tasks)
        if self.error is not None:
            raise self.error
        if outcome.unfair:
            self.unseen.say(outcome.unfair)
        if self.recorder is not None:
            self.recorder.end()
        self._holdings.execution_is_over()
        if self._uses is None:
            self._conclude(outcome)
        outcome.events += self._might_end
        return outcome

    def _conclude(self, outcome: Outcome) -> None:
        outcome.results = {t.name: t.result for t in self._threads}
        if self.crashed or outcome.events or self.ending or self.lost:
            return
        try:
            outcome.broken = self.program.broken_rules(outcome.state, outcome.results)
        except (ProgramError, KeyboardInterrupt):
            raise
        except BaseException as error:
            outcome.events.append(error_event("check", error, len(self.log)))

    def _await_end(self) -> None:
        """Wait for the execution, then unwind whoever did not end."""
        interrupted: KeyboardInterrupt | None = None
        while True:
            try:
                self._overseer.await_end(1.0 if interrupted else self.stall_s)
                break
            except KeyboardInterrupt as error:
                # The execution ends at its next choice; a hung one is reported lost.
                interrupted = error
                self.ending = True
                self.limit = -1
                if self.current is None:
                    # It is over.  The interrupt may have come with the floor already taken back.
                    self._control.acquire(timeout=1.0)
                    break
        self._overseer.conclude(judged=interrupted is None)
        self._unwind()
        if interrupted is not None:
            raise interrupted

    def _unwind(self) -> None:
        """Abort every thread still inside the program, one at a time."""
        stuck = [t for t in self.tasks if t.alive and t.name not in self.lost]
        started = [t for t in stuck if t not in self._unstarted]
        try:
            if started and not self.ending:
                self._stuck(started)
        finally:
            if stuck:
                self.ending = True
            self._abort(started)

    def _stuck(self, started: list[Task]) -> None:
        """Nobody can move, and ``started`` have not ended: that is a deadlock unless all of them may wait."""
        if all(
            task.onto is None and not task.suspended and task.name in self.program.daemons for task in started
        ):
            # Before they unwind, which may change the state.
            self._conclude(self.outcome)
            return
        waiting = [task for task in started if not task.suspended]
        if self._wait_for_a_clock(waiting):
            return
        events, at = self.outcome.events, len(self.log)
        # A ring is told when its last thread blocks, but for one that a handler suspended just then.
        for task in waiting:
            ring = find_ring(task)
            closed = None if ring is None else ring_event(task, ring, at)
            if closed is not None and all(event.signature != closed.signature for event in events):
                self.say(closed, *ring or ())
        events.extend(wait_event(waiting, events, at))

    def _wait_for_a_clock(self, waiting: list[Task]) -> bool:
        """Whether a predicate that one of ``waiting`` waits for asks what time it is.

        No step moves that: the thread would go on one day, and perhaps others after it.
        """
        for task in waiting:
            clocks = Clocks()
            if task in self.watchers:
                profiled(clocks.look, lambda watched=task.obj: watched.holds(self))  # type: ignore[misc]
            if clocks.asked:
                self.unseen.say(
                    f"{self.program.name}: {task.name} waits in {wanted_site(task)} for a predicate that asks for the "
                    "time, which no step changes. Wait for a field that another thread sets"
                )
                return True
        return False

    def _abort(self, started: list[Task]) -> None:
        """Unwind ``started``; what each of them still waits for is noted first."""
        for task in started:
            offered = task.op, task.obj
            if task.suspended and task.cpu is not None and task.cpu.saved is not None:
                offered = task.cpu.saved
            # A sleeper has nothing to offer until somebody notifies it; nor has one that could move.
            could = task.ready and not task.suspended
            task.blocked = None if could or offered[0] is SLEEP else offered
            if self.recorder is not None and task.blocked is not None:
                self.recorder.blocked(task)
        for task in self._interrupts:
            if task.op is INTERRUPT and task.obj is task.onto and not task.ready:
                task.blocked = INTERRUPT, task.onto
        for task in self._unstarted:
            task.alive = False
        for task in started:
            self._overseer.abort(task)
        self.current = None
        self._overseer.conclude(judged=False)

    def anybody(self) -> None:
        """From here on any order will do: what this execution shows is not looked at."""
        self._strategy = Anyone()
        if self.buffers is not None:
            self._strategy = buffers.Draining(self.buffers, self._strategy, True)
        if not self._unstarted:
            self._pick = self._strategy.pick

    def _is_the_programs(self) -> bool:
        """Whether the calling thread runs code of the program."""
        return get_ident() in self._workers or (self._setting_up and get_ident() in self.ours)

    def _pictured(self, state: Any) -> Picture | None:
        """What no step announces, in an execution now and then."""
        if not self._looks or self._runs & (self._runs - 1) or self._uses is not None:
            return None
        return Picture(self.program, state)

    def _say_of(self, before: Picture) -> None:
        if before.truncated:
            self.unseen.say(
                f"{self.program.name}: its threads can reach more objects than RaceBench looks at, and some may be "
                "changed unseen"
            )
        for sentence in self._outside.told() if self._outside is not None else ():
            self.unseen.say(f"{self.program.name}: {sentence}")

    def _say_what_was_not_seen(self) -> None:
        if self._runs and not self._touched:
            self.unseen.say(NOTHING)
        for sentence in self.uses().told(self.changing) if self.changing and self.fit else ():
            self.unseen.say(f"{self.program.name}: {sentence}")

    def uses(self) -> Uses:
        """Who uses what is ``changing``, from a few executions more."""
        self._uses = uses = Uses.of(self.changing)
        osthreads.take_lost_interrupts()
        try:
            for _ in range(TRACED):
                self.run(Anyone())
        finally:
            self._uses = None
        return uses

    def __enter__(self) -> Scheduler:
        self._scope = self._running()
        self._scope.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        self._scope.__exit__(*exc)

    @property
    def fit(self) -> bool:
        """Whether another execution is worth its price: a thread that makes no steps costs seconds.

        One that ran out of stack inside a strategy counts as well: what the
        strategy knows of that execution may be wrong.
        """
        return not self.lost and self.hangs < _MOST_HANGS

    @contextmanager
    def _running(self) -> Iterator[None]:
        with (
            installed(self),
            osthreads.pinned(),
            tamed() as self._collector,
            self._shield.installed(),
            starts_noticed(self._is_the_programs, self.unseen.say),
        ):
            for task in self._threads + self._interrupts:
                task.thread = osthreads.started(self._work, task.name, task)
                task.ident = task.thread.ident or 0
                self._workers[task.ident] = task
            self.ours = frozenset((get_ident(), *self._workers))
            try:
                yield
                self.strangers.check()
                self._say_what_was_not_seen()
            finally:
                self._closing = True
                self.ours = frozenset()
                with self._shield:
                    for task in self.tasks:
                        if task.thread is None:
                            continue
                        # One that is lost ends when it comes back.
                        task.baton.release()
                        if task.name not in self.lost:
                            task.thread.join(self.stall_s)

    numbers = True
    _always = False
    _runs = 0
    _touched = False
    _collector: Collector
    _strategy: Chooser


def _nobody(enabled: list[Task], current: Task | None) -> Task:
    raise HarnessBug("a step was offered outside an execution")
