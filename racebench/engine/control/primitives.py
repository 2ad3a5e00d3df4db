"""The primitives as the controlled engine runs them.

Each operation makes its offer, waits to be chosen, performs its effect on
plain attributes (only the floor holder runs), takes the real lock without
blocking, and lets the scheduler see whose offers changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sys import _getframe
from threading import get_ident
from types import FrameType
from typing import TYPE_CHECKING, Any

from ...errors import HarnessBug, ProgramError, ThreadAbort
from ...primitives import Condition, Lock, RLock, RWLock, Semaphore
from ...trace import Op
from ..osthreads import caller_frame, caller_site
from ..strangers import step_name
from ..stuck import misuse_event
from . import ops

if TYPE_CHECKING:
    from .scheduler import Scheduler, Task


def _want(scheduler: Scheduler, me: Task, op: Op, obj: Any, ready: bool) -> None:
    """Make the offer ``op`` on ``obj`` and return once it is met.

    Whoever comes here, or to ``point``, with another's task is stopped before it changes anything.
    """
    if get_ident() != me.ident:
        scheduler.not_running(step_name(op, obj))
    if me.aborted:
        scheduler.unwinding(me)
        raise ThreadAbort
    me.op, me.obj, me.ready = op, obj, ready
    scheduler.block_or_go(me)


def _misuse(scheduler: Scheduler, me: Task, lock: Any) -> None:
    """Report a release by a thread that does not hold ``lock``; the release is ignored."""
    scheduler.say(misuse_event(me, lock, caller_site(), len(scheduler.log)), me)


def _drop(me: Task, lock: Any) -> None:
    """Take ``lock`` off the list of what ``me`` holds: its latest entry."""
    held = me.held
    for i in range(len(held) - 1, -1, -1):
        if held[i][0] is lock:
            del held[i]
            return


def _make_lock(s: Scheduler) -> type[Lock]:
    class ControlledLock(Lock):
        owner: Task | None = None
        recursive = False

        def acquire(self, blocking: bool = True) -> bool:
            me = s.current or s.caller(self)
            if me is None:
                return self.real.acquire(blocking)
            if not blocking:
                return self._try(me)
            return self._take(me, 2 + self.frames_between)

        def __enter__(self) -> bool:
            me = s.current or s.caller(self)
            if me is None:
                return self.real.acquire()
            return self._take(me, 2)

        def _take(self, me: Task, depth: int) -> bool:
            _want(s, me, ops.ACQUIRE, self, self.owner is None)
            self._own(me, depth + 1)
            s.settle(self, me)
            return True

        def _own(self, me: Task, depth: int) -> None:
            if not self.real.acquire(False):
                raise HarnessBug(f"{self.name} is free for the scheduler, but its real lock is held")
            self.owner = me
            frame = _getframe(depth)
            me.held.append((self, frame.f_code, frame.f_lasti))

        def _try(self, me: Task, depth: int = 3) -> bool:
            s.point(ops.TRY_ACQUIRE, self)
            if me.aborted:
                raise ThreadAbort
            if self.owner is not None:
                return False
            self._own(me, depth)
            s.settle(self, me)
            return True

        def release(self) -> None:
            me = s.current or s.caller(self)
            if me is None:
                self.real.release()
                return
            if me.aborted:
                return
            s.point(ops.RELEASE, self)
            if self.owner is not me and not self._again_by(me):
                _misuse(s, me, self)
                return
            self._disown(me)
            s.settle(self, me)

        def _again_by(self, me: Task) -> bool:
            """Whether a handler gives back what it took again."""
            return False

        def _disown(self, me: Task) -> None:
            held = me.held
            if held and held[-1][0] is self:
                held.pop()
            else:
                _drop(me, self)
            self.owner = None
            self.real.release()

        def __exit__(self, *exc: object) -> None:
            self.release()

        def held_from(self, frame: FrameType) -> None:
            me = s.current or s.caller(self)
            if me is not None and me.held and me.held[-1][0] is self:
                me.held[-1] = (self, frame.f_code, frame.f_lasti)

        def locked(self) -> bool:
            if s.current is not None or (s.seeing is None and s.caller(self) is not None):
                s.point(ops.LOCKED, self)
                return self.owner is not None
            if s.spy is not None:
                s.spy.append((ops.LOCKED, self))
                return self.owner is not None
            return self.real.locked()

        def ready_for(self, task: Task) -> bool:
            return self.owner is None or task.op is not ops.ACQUIRE

        def owners_for(self, task: Task) -> Iterable[Task]:
            return () if self.owner is None else (self.owner,)

    return ControlledLock


def _make_rlock(s: Scheduler, base: type[Lock]) -> type[Lock]:
    class ControlledRLock(base, RLock):  # type: ignore[misc, valid-type]
        depth = 0
        recursive = True

        def _take(self, me: Task, depth: int) -> bool:
            _want(s, me, ops.ACQUIRE, self, self._free_for(me))
            self._again(me, depth + 1)
            return True

        def _free_for(self, task: Task) -> bool:
            """A handler takes again what the thread below it holds: the processor has it."""
            return self.owner is None or self.owner is task or self.owner is task.below

        def _again(self, me: Task, depth: int) -> None:
            if self.owner is None:
                self._own(me, depth + 1)
            self.depth += 1
            s.settle(self, me)

        def _try(self, me: Task, depth: int = 3) -> bool:
            s.point(ops.TRY_ACQUIRE, self)
            if me.aborted:
                raise ThreadAbort
            if not self._free_for(me):
                return False
            self._again(me, depth)
            return True

        def _again_by(self, me: Task) -> bool:
            return self.owner is not None and self.owner is me.below and self.depth > 1

        def _disown(self, me: Task) -> None:
            self.depth -= 1
            if not self.depth:
                super()._disown(me)

        def ready_for(self, task: Task) -> bool:
            return task.op is not ops.ACQUIRE or self._free_for(task)

    return ControlledRLock


def _make_rwlock(s: Scheduler) -> type[RWLock]:
    class ControlledRWLock(RWLock):
        """A read-write lock; of those who asked a fair one and were not let in ``wanting`` has the writers.

        ``behind`` has the readers, each with the writers that must leave before it.
        """

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.readers: list[Task] = []
            self.writer: Task | None = None
            self.wanting: list[Task] = []
            self.behind: dict[Task, list[Task]] = {}

        def acquire_read(self) -> bool:
            me = self._enter(False, super().acquire_read)
            if me is not None:
                self.readers.append(me)
                s.settle(self, me)
            return True

        def acquire_write(self) -> bool:
            me = self._enter(True, super().acquire_write)
            if me is not None:
                self.writer = me
                s.settle(self, me)
            return True

        def _enter(self, writing: bool, plain: Callable[[], bool]) -> Task | None:
            me = s.caller(self)
            if me is None:
                plain()
                return None
            if self.fair:
                # Which of the two this step is depends on the lock when it comes: see `ready_for`.
                me.op = ops.ASK_WRITE if writing else ops.ASK_READ
                self.ready_for(me)
                _want(s, me, me.op, self, True)
                if me.op is ops.REQUEST_WRITE or me.op is ops.REQUEST_READ:
                    self._queue(me, writing)
            else:
                me.op = ops.ACQUIRE_WRITE if writing else ops.ACQUIRE_READ
                _want(s, me, me.op, self, self.ready_for(me))
            frame = caller_frame(2)
            if frame is not None:
                me.held.append((self, frame.f_code, frame.f_lasti))
            return me

        def _queue(self, me: Task, writing: bool) -> None:
            if writing:
                self.wanting.append(me)
                s.settle(self, me)
                me.op = ops.ACQUIRE_WRITE
                _want(s, me, me.op, self, self.ready_for(me))
                self.wanting.remove(me)
            else:
                self.behind[me] = self._writers()
                _want(s, me, ops.ENTER_READ, self, False)
                del self.behind[me]

        def _writers(self) -> list[Task]:
            """Who holds the lock for writing, or waits to."""
            return list(self.wanting) if self.writer is None else [self.writer, *self.wanting]

        def release_read(self) -> None:
            me = s.caller(self)
            if me is None:
                super().release_read()
                return
            if me.aborted:
                return
            s.point(ops.RELEASE_READ, self)
            if me not in self.readers:
                _misuse(s, me, self)
                return
            self.readers.remove(me)
            _drop(me, self)
            s.settle(self, me)

        def release_write(self) -> None:
            me = s.caller(self)
            if me is None:
                super().release_write()
                return
            if me.aborted:
                return
            s.point(ops.RELEASE_WRITE, self)
            if self.writer is not me:
                _misuse(s, me, self)
                return
            self.writer = None
            for writers in self.behind.values():
                if me in writers:
                    writers.remove(me)
            _drop(me, self)
            s.settle(self, me)

        def ready_for(self, task: Task) -> bool:
            op = task.op
            if op is ops.ASK_READ or op is ops.REQUEST_READ:
                task.op = ops.REQUEST_READ if self._writers() else ops.ASK_READ
            elif op is ops.ASK_WRITE or op is ops.REQUEST_WRITE:
                task.op = ops.REQUEST_WRITE if self.readers or self._writers() else ops.ASK_WRITE
            elif op is ops.ACQUIRE_READ:
                return self.writer is None
            elif op is ops.ENTER_READ:
                return self.writer is None and not self.behind[task]
            elif op is ops.ACQUIRE_WRITE:
                return self.writer is None and not self.readers
            return True

        def owners_for(self, task: Task) -> Iterable[Task]:
            if task.op is ops.ENTER_READ:
                holder = [] if self.writer is None else [self.writer]
                return dict.fromkeys((*holder, *self.behind[task]))
            if self.writer is not None:
                return (self.writer,)
            # In an order of their own: who came first among readers is no difference between executions.
            readers = sorted(self.readers, key=lambda reader: reader.index)
            return readers if task.op is ops.ACQUIRE_WRITE else ()

    return ControlledRWLock


def _make_condition(s: Scheduler) -> type[Condition]:
    class ControlledCondition(Condition):
        lock: Any

        def __enter__(self) -> bool:
            me = s.caller(self)
            return bool(self.lock.acquire() if me is None else self.lock._take(me, 2))

        def wait(self) -> bool:
            me = s.caller(self)
            if me is None:
                return super().wait()
            if me.aborted:
                raise ThreadAbort
            s.point(ops.WAIT, self)
            if self.lock.owner is not me:
                _misuse(s, me, self.lock)
                return False
            depth = getattr(self.lock, "depth", 1)
            for _ in range(depth):
                self.lock._disown(me)
            self._waiters.append(me)
            s.settle(self.lock, me)
            self._sleep(me)
            for _ in range(depth):
                if self.lock.owner is not me:
                    self.lock._own(me, 2)
                if depth > 1 or hasattr(self.lock, "depth"):
                    self.lock.depth += 1
            s.settle(self.lock, me)
            return True

        def _sleep(self, me: Task) -> None:
            """Sleep until notified, or once unasked, and take part in the race for the lock."""
            spurious = self.spurious and self._rb_id not in me.roused  # type: ignore[attr-defined]
            if spurious and s.relation is not None:
                s.relation.rousable()
            me.op, me.obj, me.ready = ops.WAKE if spurious else ops.SLEEP, self, spurious
            # Woken, our offer has become ACQUIRE on the lock: see `_wake`.
            s.block_or_go(me)
            if me.op is ops.WAKE:
                me.roused.add(self._rb_id)  # type: ignore[attr-defined]
                self._waiters.remove(me)
                _want(s, me, ops.ACQUIRE, self.lock, self.lock.owner is None)

        def acquire(self, blocking: bool = True) -> bool:
            me = s.caller(self)
            if me is None or not blocking:
                return bool(self.lock.acquire(blocking))
            return bool(self.lock._take(me, 2))

        def notify(self, n: int = 1) -> None:
            self._wake(ops.NOTIFY, n)

        def notify_all(self) -> None:
            self._wake(ops.NOTIFY_ALL, None)

        def _wake(self, op: Op, n: int | None) -> None:
            me = s.caller(self)
            if me is None:
                super().notify(len(self._waiters) if n is None else n)
                return
            if me.aborted:
                return
            me.asked = n
            s.point(op, self)
            if self.lock.owner is not me:
                _misuse(s, me, self.lock)
                return
            woken = self._waiters[:n]
            del self._waiters[: len(woken)]
            for task in woken:
                if task.suspended:
                    task.cpu.saved = ops.ACQUIRE, self.lock
                    continue
                task.op, task.obj = ops.ACQUIRE, self.lock
                task.ready = self.lock.ready_for(task)
            if woken:
                s.refresh()

        def next_woken(self, me: Task) -> list[Task]:
            """Whom the notification that ``me`` offers would wake now."""
            return self._waiters[: me.asked] if self.lock.owner is me else []

        def ready_for(self, task: Task) -> bool:
            return task.op is not ops.SLEEP

        def owners_for(self, task: Task) -> Iterable[Task]:
            return ()

    return ControlledCondition


def _make_semaphore(s: Scheduler) -> type[Semaphore]:
    class ControlledSemaphore(Semaphore):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.count = self.initial

        def acquire(self, blocking: bool = True) -> bool:
            me = s.current or s.caller(self)
            if me is None:
                return super().acquire(blocking)
            if blocking:
                _want(s, me, ops.DOWN, self, self.count > 0)
            else:
                s.point(ops.TRY_DOWN, self)
                if me.aborted:
                    raise ThreadAbort
                if not self.count:
                    return False
            self.count -= 1
            s.settle(self, me)
            return True

        def release(self) -> None:
            me = s.current or s.caller(self)
            if me is None:
                super().release()
                return
            if me.aborted:
                return
            s.point(ops.UP, self)
            self.count += 1
            s.settle(self, me)

        def ready_for(self, task: Task) -> bool:
            return self.count > 0 or task.op is not ops.DOWN

        def owners_for(self, task: Task) -> Iterable[Task]:
            return ()

    return ControlledSemaphore


class Predicate:
    """What a thread in ``wait_until`` waits for."""

    __slots__ = ("key", "me", "reads", "test")

    cls = "wait_until"

    def __init__(self, test: Callable[[], Any], me: Task) -> None:
        self.test, self.me = test, me
        self.reads: list[tuple[Op, Any]] = []
        # One for all waits of a thread in one function: what each of them looks at, all may.
        self.key = ("wait_until", me.index), getattr(test, "__code__", type(test))

    def holds(self, s: Scheduler) -> bool:
        """Evaluate without making steps; one that raises holds, and raises in its thread."""
        floor, s.current = s.current, None
        s.spy = self.reads = []
        s.seeing = self.me
        try:
            return bool(self.test())
        except ProgramError as error:
            wrong = error
        except Exception:
            return True
        finally:
            s.spy, s.current, s.seeing = None, floor, None
            if s.relation is not None:
                s.relation.look(self.key, self.reads)
        s.fail(s.current or self.me, wrong)

    def label(self) -> str:
        names = (f"{obj.label()}.{op.field}" if op.is_field else obj.label() for op, obj in self.reads)
        return ", ".join(dict.fromkeys(names)) or "nothing shared"

    name = property(label)

    def owners_for(self, task: Task) -> Iterable[Task]:
        return ()


def wait_until(s: Scheduler, test: Callable[[], Any]) -> None:
    """Offer to go on, and be chosen only while ``test()`` is true."""
    me = s.caller()
    if me is None:
        if not test():
            raise HarnessBug("wait_until outside the program's threads would never end")
        return
    predicate = Predicate(test, me)
    s.watchers.append(me)
    try:
        _want(s, me, ops.WAIT_UNTIL, predicate, predicate.holds(s))
    finally:
        if me in s.watchers:
            s.watchers.remove(me)
    me.obj = None
    s.current, s.seeing = None, me
    try:
        test()
    finally:
        s.current, s.seeing = me, None


def substitutes(s: Scheduler) -> dict[type, type]:
    """The controlled class for each primitive, bound to ``s``."""
    lock = _make_lock(s)
    made: dict[type, type] = {
        Lock: lock,
        RLock: _make_rlock(s, lock),
        RWLock: _make_rwlock(s),
        Condition: _make_condition(s),
        Semaphore: _make_semaphore(s),
    }
    return made
