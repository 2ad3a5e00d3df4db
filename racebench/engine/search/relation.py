"""The relation: which steps of different threads do not commute, and why that is enough.

Exhaustive search runs one execution of each class of schedules that differ only
in the order of steps that commute.  All of its proof rests on this page: a pair
of steps that is missing here is a class that is never run.  When in doubt, a
pair conflicts: that costs an execution, not the proof.

A step reads and writes *keys*: a field of an object, a lock, a semaphore, a
condition, a processor, a predicate.  Two steps of different threads conflict if
one writes a key that the other reads or writes.  What decides whether a step is
possible at all (its *guard*) is a key that it reads or writes too.  So steps
that do not conflict neither change, nor enable, nor disable one another, in any
state: that is what the search needs, and all that it needs.

    step                      reads       writes            possible when
    field read                field                         always
    field write               field       field             always
    read of a value that its
      reader may change, or
      change of a container               field             always
    take of a lock                        lock              nobody holds it
    take again (RLock), by
      its holder or a handler
      over it; release of
      such a take                                           always
    try of a lock                         lock              always
    try of one's own lock                                   always
    release                               lock              always
    release by another,
      wait or notify without
      the lock (misuse)       lock                          always
    notify over a lock that
      anybody may release     lock      condition           always
    locked()                  lock                          always
    read lock: take, request,
      release                 lock                          see below
    write lock: the same                  lock              see below
    wait                                  condition, lock   always
    wake spuriously                       condition, sleep  not notified yet
    any step, if there are
      conditions of that kind (also) sleep
    notify, notify_all                    condition         always
    take after a notification             lock              notified, nobody holds it
    timeout of a wait           condition                   not notified yet
    take after a timeout                  lock              nobody holds it
    semaphore down                        semaphore         the count is not 0
    semaphore try, up                     semaphore         always
    queue: put, get, try                  as a semaphore's up, down, try
    take or semaphore down
      with a timeout, and its
      timeout                             lock, semaphore   always
    event: pass, begin to
      wait, look                event                       always
    event: set, clear                     event             always
    event: pass after a wait    event                       set since it began to wait
    event: timeout              event                       not set since then
    barrier: arrive                       barrier           nobody leaves it, or acts for it
    barrier: leave, timeout               barrier           all have come, or it is broken, and
                                                            nobody acts; a timeout: nobody acts
    barrier: abort, reset                 barrier           nobody acts for it
    barrier: look, end of action          barrier           always
    atomic: load                value                       always
    atomic: store, update                 value             always
    thread: start                         thread            always
    thread: end                           thread            always
    thread: join              thread                        it has ended, or was not started
    thread: timeout of a
      join, look              thread                        always
    sleep, or any timeout, if
      threads ask for the time            (also) clock
    reading the time            clock                       always
    wait_until                predicate                     the predicate is true
    store into a buffer                   that store        always
    store leaves its buffer   that store,
                              buffer      field             it is the oldest of its field
    fence                                 buffer            the buffer is empty
    interrupt comes                       processor, buffer interrupts on, no handler there,
                                                            the buffer is empty
    interrupt returns                     processor         always
    any step of a thread to
      which interrupts come               (also) processor  no handler runs there

Notes, in the order of the table:
- Whether a take is a take again, and whether a release is misused, depends on
  the thread's own past alone, so no other thread's step can change it.  Not so with
  a lock that anybody may release (``threading.Lock``): there a try, a release or a wait
  is the same step whoever holds it, and a notification reads who does.
- A try, and a semaphore's, counts as a write whether or not it succeeds: put
  before another step it may succeed where it failed.
- Readers commute with readers.  A fair lock is asked for in one step, possible
  always: it is granted there, or the thread waits where all can see it and goes
  on in a second step.  Which of the two happens depends on the lock alone.
- A condition's sleepers wake in the order in which they came, so waits and
  notifications on one condition are all ordered.  A notification also comes
  before all that its sleeper does next.  A spurious wake-up conflicts with every
  other step: the search has to run an execution in which all others have done what
  they can before the sleeper wakes, so that a deadlock just before is seen.
- **Timeouts.**  A wait with a timeout may time out whenever the scheduler says: see
  ``primitives.clock`` for why every order of timeouts is one of real time.  If a waiter
  leaves no mark on the object (a lock, a semaphore), the wait is one step, always
  possible: granted if it can be, else too late.  To wait longer is to make that
  step later, so it is a try, and conflicts like one.
  A thread that sleeps on a condition or waits for an event is seen to wait, and may time
  out until it is notified, or the event is set: that takes the timeout away, as it does
  a spurious wake-up, so the two conflict, and after it the search looks back for
  the timeout that could have come.  Timeouts of two sleepers commute: neither leaves
  the list before it has the lock again.  Until then a notification may still find it,
  and is lost; but the notifier holds that lock, so the takes order the two, and
  such a notification comes before nothing that the late sleeper does.
- Timeouts and sleeps move the clock.  That matters only to a thread that reads the time;
  once any thread has, the search starts again with that conflict (as with predicates, below).
- A thread that was released by an event has nothing more to wait for: it passes,
  whatever happens to the event then.  What it does next comes after the ``set``.
- **Barriers.**  Whether a thread can arrive or leave depends on all earlier steps on the
  barrier, so all its steps are ordered, looks included, and the search tries where a
  step could have come (``races``).
- **Threads that are started.**  All that such a thread does comes after the step that
  starts it, as what a sleeper does comes after a notification.  A join comes after the
  end, and has no other order with it; but it may have come before the start, where it
  fails.  A join with a timeout is always possible, so it conflicts with the end like any
  look.
- **Predicates.**  What a predicate reads differs from state to state
  (``a and b``, ``ref.x``, ``lock.locked()``).  Each has a key of its own, which
  is written by every step that writes anything that *any* evaluation has read
  so far, in any execution.  So all such steps are ordered among themselves, and
  every order of them, with the predicate evaluated after each, is run.  The
  search learns the set as it goes: when it grows, earlier decisions may be
  wrong, and the search starts again (``Relation.grown``).  For a predicate over
  one field nothing is lost by this; over several fields writes that would
  commute do not: there the search is no longer optimal, but still sound.
- **A crash** (a failed ``check_that``) stops the machine.  The search lets the
  other threads go on, since what they do then they also do in executions in
  which that crash has not come yet.  A fault counts only if no crash is in its
  past: see ``evidence``.
- The end of a thread that the program has from the beginning is no step.  An error ends
  its thread and is no crash.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...primitives import ops
from ...trace import Kind, Op
from ..control.scheduler import Scheduler
from ..control.task import Task
from .event import NOTIFIES, Event, Key, State
from .quiet import Quiet, Step

_READS = {
    *(Kind.READ, Kind.LOCKED, Kind.ACQUIRE_READ, Kind.RELEASE_READ, Kind.REQUEST_READ),
    *(Kind.TIMEOUT, Kind.PASS, Kind.AWAIT, Kind.LOOK, Kind.CLOCK, Kind.JOIN),
}
_MUTEX = {Kind.ACQUIRE, Kind.TRY_ACQUIRE, Kind.RELEASE}
_COUNTS = {Kind.DOWN, Kind.TRY_DOWN, Kind.UP}
_SLEEP = {Kind.WAIT, Kind.NOTIFY, Kind.NOTIFY_ALL}
_TAKEN_AWAY = {ops.WAKE, ops.LATE_SLEEP, ops.LATE_PASS}


class Relation:
    """Makes events, and keeps those that are the same in every execution.

    Owned by the floor holder; it is asked about what a thread offers now.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.cpus: dict[int, Key] = {
            task.index: (task.cpu._rb_id, "") for task in scheduler.tasks if task.cpu is not None
        }
        self.buffered = scheduler.buffers is not None
        self._floor = scheduler.floor
        self._grown, self._conflicting = False, self._floor.conflicting
        self._rousable = self._clocked = False
        self._quiet = Quiet()
        self.abridged = False
        """Whether quiet steps are made along with others."""
        self._looked: dict[Key, set[Key]] = {}
        self._watching: dict[Key, tuple[Key, ...]] = {}
        self._known: dict[Step, Event] = {}

    # -- what the search learns

    def look(self, predicate: Key, reads: Iterable[tuple[Op, Any]]) -> None:
        """Note that ``predicate`` was evaluated and read ``reads``."""
        looked = self._looked.setdefault(predicate, set())
        for op, obj in reads:
            key = (obj._rb_id, op.field)
            if key not in looked:
                looked.add(key)
                self._watching[key] = (*self._watching.get(key, ()), predicate)
                self._grown = True

    def rousable(self) -> None:
        """Note that a thread sleeps that may wake spuriously."""
        if not self._rousable:
            self._rousable = self._grown = True

    def clocked(self) -> None:
        """Note that a thread reads the time."""
        if not self._clocked:
            self._clocked = self._grown = True

    @property
    def grown(self) -> bool:
        """Whether something has come since ``renew`` that makes steps conflict which did not before.

        Reads come to conflict in any execution of the scheduler, of another search too.
        """
        return self._grown or self._conflicting != self._floor.conflicting

    def renew(self) -> None:
        """Forget the events made before all of this was known, since a search starts."""
        if self.grown:
            self.abridged = self._quiet.choose(self._known)
            self._known.clear()
        self._grown, self._conflicting = False, self._floor.conflicting

    def abridge(self) -> bool:
        """Return whether a new search, which is not ``abridged`` yet, will be so, and have fewer nodes."""
        worth = not (self.cpus or self.buffered) and self._quiet.begin(self._known)
        self._grown |= worth
        return worth

    # -- events

    def of(self, task: Task) -> Event:
        """Return the event of ``task`` performing what it offers."""
        op, obj, proc = task.op, task.obj, task.index
        if op.apart:
            if op.kind is not Kind.WAIT_UNTIL:
                return self._seen(self._stored(task, op, obj))
            own: tuple[Key, ...] = (self.cpus[proc],) if proc in self.cpus else ()
            return self._seen(Event(proc, op, None, (obj.key,), own))
        ident = obj._rb_id
        how = op.conflicts if op.is_field else _standing(task, op.does, obj)
        step = proc, op, ident, how
        event = self._known.get(step)
        if event is None:
            # A read that comes to conflict stays what it was: the choice is the same for a whole search.
            read = self._known.get((proc, op, ident, False))
            event = self._known[step] = self._seen(self._made(task, op, obj, how))
            event.along = self._quiet.has(step, event) if read is None else read.along
        return event

    def along(self, last: Task) -> Event | None:
        """Return the step that the task ``last`` makes along with the last step, which it made; or None."""
        if not self.abridged or last.op.apart:
            return None
        event = self.of(last)
        return event if event.along else None

    def _seen(self, event: Event) -> Event:
        """Return ``event`` with the key by which it conflicts with spurious wake-ups; note what it uses."""
        if self._rousable:
            if event.op is ops.WAKE:
                event.writes += (_ROUSED,)
            else:
                event.reads += (_ROUSED,)
        self._grown |= self._quiet.use(event)
        return event

    def state(self, task: Task) -> State:
        """Return the state that decides, before ``task`` does what it offers, who may use the same object."""
        op = task.op
        if op.is_field:
            return None
        kind, obj = op.does, task.obj
        if kind in _MUTEX:
            return -1 if obj.owner is None else obj.owner.index
        if kind in _COUNTS:
            if kind is not Kind.UP:
                return obj.count, max(0, obj.count - 1)
            return obj.count, obj.count + op.times if obj.takes_back(op.times) else obj.count
        if kind is Kind.WAIT:
            return obj.lock.owner is task
        if kind in NOTIFIES:
            return tuple((woken.index, self._wake(woken, obj)) for woken in obj.next_woken(task))
        return None

    def _wake(self, sleeper: Task, condition: Any) -> Event | None:
        """Return the step of ``sleeper`` that a notification takes away, if it could go on without one."""
        op, _ = sleeper.offer()
        return self._seen(self._made(sleeper, op, condition, "")) if op in _TAKEN_AWAY else None

    def _made(self, task: Task, op: Op, obj: Any, how: Any) -> Event:
        reads: tuple[Key, ...] = ()
        writes: tuple[Key, ...] = ()
        key = (obj._rb_id, op.field)
        clock = (_CLOCK,) if self._clocked and op.kind in _TAKES_TIME else ()
        if how is _ALONE or op is ops.PAUSE:
            # It has no guard either: the thread's own processor is added to its keys below.
            event = Event(task.index, op, obj._rb_id, (), ())
            event.writes = self._also(task.index, clock)
            return event
        if how is _MISUSED:
            reads = ((obj.lock._rb_id, "") if op.kind in _SLEEP else key,)
        elif op.kind in _SLEEP and not obj.lock.strict and op.kind is not Kind.WAIT:
            reads, writes = ((obj.lock._rb_id, ""),), (key,)
        elif op.kind is Kind.WAIT:
            writes = (key, (obj.lock._rb_id, ""))
        elif op.kind is Kind.INTERRUPT and obj.task.buffer is not None:
            writes = (key, (obj.task.buffer._rb_id, ""))
        elif op.does in _READS and not (op.is_field and op.conflicts):
            reads = (key,)
        else:
            writes = (key,)
        return Event(task.index, op, obj._rb_id, reads, self._also(task.index, writes + clock))

    def _also(self, proc: int, writes: tuple[Key, ...]) -> tuple[Key, ...]:
        """Return ``writes`` with the keys written along: the predicates that read them, the processor."""
        also = [predicate for key in writes for predicate in self._watching.get(key, ())]
        cpu = self.cpus.get(proc)
        if cpu is not None:
            also.append(cpu)
        return tuple(dict.fromkeys((*writes, *also))) if also else writes

    def _stored(self, task: Task, op: Op, obj: Any) -> Event:
        """Return the event of a step into a store buffer, out of one, or that waits until one is empty."""
        if op.kind is Kind.STORE:
            fifo = obj._rb_fifos[task.index, op.field]
            key = (fifo.actor.index, fifo.made), "store"
            return Event(task.index, op, obj._rb_id, (), self._also(task.index, (key,)))
        if op.kind is Kind.FENCE:
            return Event(task.index, op, obj._rb_id, (), self._also(task.index, ((obj._rb_id, ""),)))
        fifo = task.fifo
        assert fifo is not None
        reads = (((task.index, fifo.done), "store"), (fifo.buffer._rb_id, ""))
        return Event(task.index, op, obj._rb_id, reads, self._also(task.index, ((obj._rb_id, op.field),)))


_ALONE, _MISUSED = "alone", "misused"
_ROUSED: Key = "sleep", ""
_CLOCK: Key = "clock", ""
_TAKES_TIME = {Kind.TIMEOUT, Kind.PAUSE}


def _standing(task: Task, kind: Kind, obj: Any) -> str:
    """Return what kind of operation the thread's own past makes of it; "" if nothing special."""
    if kind in _SLEEP:
        return "" if obj.lock.owner is task or not obj.lock.strict else _MISUSED
    if kind is Kind.RELEASE_READ or kind is Kind.RELEASE_WRITE:
        return "" if (obj.writer is task if kind is Kind.RELEASE_WRITE else task in obj.readers) else _MISUSED
    if kind not in _MUTEX:
        return ""
    if not obj.strict:
        return ""
    owner = obj.owner
    again = owner is not None and (owner is task or owner is task.below)
    if kind is Kind.ACQUIRE:
        return _ALONE if again and obj.recursive else ""
    if kind is Kind.TRY_ACQUIRE:
        return _ALONE if again else ""
    if not again or (owner is not task and not (obj.recursive and obj.depth > 1)):
        return _MISUSED
    return _ALONE if obj.recursive and obj.depth > 1 else ""
