"""The primitives' runtime under control: each operation is offered first, and performed when it is chosen.

Everything here runs with the floor, so the state machines need no lock: when a thread passes the floor
on, all that it did happens before all that the next one does.  A mutex takes its real lock as well,
without blocking, once it is known to be free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from sys import _getframe
from threading import get_ident
from types import FrameType
from typing import Any, ClassVar

from ...errors import HarnessBug, ProgramError, ThreadAbort
from ...primitives import Condition, Event, Lock, Primitive, RLock, ops
from ...primitives.locks import FOREVER, checked
from ...primitives.primitive import Effect
from ...primitives.runtime import here
from ...trace import Kind, Op, object_name
from ..osthreads import caller_site
from ..strangers import step_name
from ..stuck import misuse_fault
from .floor import Floor
from .task import Task


class Controlled(Primitive):
    """Replaces the runtime that is used outside a run; a subclass binds it to a scheduler."""

    _s: ClassVar[Floor]

    def _step(self, op: Op, effect: Effect, arg: Any = None) -> Any:
        s = self._s
        me = s.current
        if me is None:
            return self._alone(op, effect, arg)
        if me.aborted:
            if op.kind in ops.GIVES:
                return None
            s.point(op, self)
            raise ThreadAbort
        s.point(op, self)
        result = effect(me, arg)
        s.object_changed(self, me)
        return result

    def _block(
        self, op: Op, effect: Effect, arg: Any = None, ask: Op | None = None, timeout: float | None = None
    ) -> Any:
        s = self._s
        me = s.current
        if me is None:
            return self._alone(op, effect, arg, timeout)
        # A thread that is not the one with the floor is stopped before it changes anything.
        if get_ident() != me.ident:
            s.not_running(step_name(op, self))
        if me.aborted:
            s.unwinding(me)
            raise ThreadAbort
        if s.closing and timeout is not None:
            timeout, s.endless = None, s.endless or me.name
        if ask is None or not self._asked(me, ask):
            me.op = op if timeout is None else op.timed or op
            me.obj = self
            me.ready = self.ready_for(me)
            s.block_or_go(me)
            if timeout is not None and me.op.kind is Kind.TIMEOUT:
                effect = self.expire
                s.now += timeout
        result = effect(me, arg)
        s.object_changed(self, me)
        return result

    def _asked(self, me: Task, ask: Op) -> bool:
        """Make ``ask`` a step of its own; return False if ``me`` now waits, and all threads can see it."""
        s = self._s
        me.op, me.obj, me.ready = ask, self, True
        self.ready_for(me)
        s.block_or_go(me)
        # Which of the two operations this step is depends on the lock at that time.
        if me.op is ask:
            return True
        self.enlist(me)
        s.object_changed(self, me)
        return False

    def _alone(self, op: Op, effect: Effect, arg: Any, timeout: float | None = None) -> Any:
        """Perform ``op`` in setup or check, where there is no thread to wait for."""
        self._s.point(op, self)
        me = here.me
        me.op = op
        if not self.ready_for(me):
            if timeout is not None and self.may_expire():
                return self.expire(me, arg)
            raise ProgramError(f"{step_name(op, self)} outside the program's threads would never end")
        return effect(me, arg)

    def _misuse(self, me: Any) -> None:  # type: ignore[override]
        """Report a finding; the release is ignored."""
        self._s.say(misuse_fault(me, self, caller_site(), len(self._s.log)), me)


class ControlledLock(Controlled, Lock):
    def acquire(self, blocking: bool = True, timeout: float = FOREVER) -> bool:
        frame = _getframe(1 + self.frames_between)
        seconds = None if timeout is FOREVER and blocking is True else checked(blocking, timeout)
        if seconds != 0:
            return self._block(ops.ACQUIRE, self.grant, frame, None, seconds)  # type: ignore[no-any-return]
        return self._step(ops.TRY_ACQUIRE, self.attempt, frame)  # type: ignore[no-any-return]

    def __enter__(self) -> bool:
        return self._block(ops.ACQUIRE, self.grant, _getframe(1))  # type: ignore[no-any-return]

    def release(self) -> None:
        self._step(ops.RELEASE, self.drop)

    def __exit__(self, *exc: object) -> None:
        self._step(ops.RELEASE, self.drop)

    def locked(self) -> bool:
        self._s.point(ops.LOCKED, self)
        return self.real.locked()

    def held_from(self, frame: FrameType) -> None:
        me = self._s.current
        if me is not None and me.held and me.held[-1][0] is self:
            me.held[-1] = (self, frame.f_code, frame.f_lasti)

    def let_go(self, me: Any) -> int:
        depth = super().let_go(me)
        self._s.object_changed(self, me)
        return depth


class ControlledCondition(Controlled, Condition):
    """A condition whose sleepers, once notified, offer to take the lock: waking is no step of its own."""

    def notify(self, n: int = 1) -> None:
        self._step_of(ops.NOTIFY, n)

    def notify_all(self) -> None:
        self._step_of(ops.NOTIFY_ALL, None)

    def _step_of(self, op: Op, n: int | None) -> None:
        me = self._s.current
        if me is not None:
            me.asked = n
        self._step(op, self._notify, n)

    def _sleep(self, depth: int, timeout: float | None) -> bool:
        s, lock, me = self._s, self.lock, self._s.current
        if me is None:
            raise ProgramError(f"{step_name(ops.SLEEP, self)} outside the program's threads would never end")
        me.op, me.obj = self._asleep(me, timeout is not None), self
        me.ready = me.op is not ops.SLEEP
        # If we were notified, our offer has become ACQUIRE on the lock: see `_notify`.
        s.block_or_go(me)
        late = me.op is ops.LATE_SLEEP
        if late and timeout is not None:
            s.now += max(timeout, 0.0)
        if late or me.op is ops.WAKE:
            if not late:
                me.roused.add(self._rb_id)  # type: ignore[attr-defined]
                self.quit(me)
            me.op, me.obj = ops.ACQUIRE, lock
            me.ready = lock.ready_for(me)
            s.block_or_go(me)
        # Leave the list only now, if `me` is still in it: all threads that read the list hold the lock.
        self.quit(me)
        lock.grant(me, _getframe(0))
        lock.depth = depth
        s.object_changed(lock, me)
        return not late

    def _asleep(self, me: Task, timed: bool) -> Op:
        """Return what ``me`` offers until it is notified."""
        s = self._s
        if timed and not s.closing:
            return ops.LATE_SLEEP
        if timed:
            s.endless = s.endless or me.name
        unasked = self.spurious and self._rb_id not in me.roused  # type: ignore[attr-defined]
        if unasked and s.relation is not None:
            s.relation.rousable()
        return ops.WAKE if unasked else ops.SLEEP

    def _notify(self, me: Any, n: int | None) -> list[Any]:
        lock, woken = self.lock, super()._notify(me, n)
        for task in woken:
            if task.suspended:
                task.cpu.saved = ops.ACQUIRE, lock
                continue
            task.op, task.obj = ops.ACQUIRE, lock
            task.ready = lock.ready_for(task)
        if woken:
            self._s.refresh()
        return woken

    def next_woken(self, me: Task) -> list[Task]:
        """Return the tasks that the notification offered by ``me`` would wake: not those that timed out."""
        if self.lock.owner is not me:
            return []
        return [task for task in self.waiters[: me.asked] if task.offer()[1] is self]


class ControlledEvent(Controlled, Event):
    def next_woken(self, me: Task) -> list[Task]:
        """Return the tasks that the ``set`` offered by ``me`` would let go."""
        return list(self.waiters)


class Predicate:
    """The predicate that a thread in ``wait_until`` waits for."""

    __slots__ = ("key", "me", "reads", "test")

    cls = "wait_until"

    def __init__(self, test: Callable[[], Any], me: Task) -> None:
        self.test, self.me = test, me
        self.reads: list[tuple[Op, Any]] = []
        # One key for all waits of a thread in one function: what one of them reads, each of them may read.
        self.key = ("wait_until", me.index), getattr(test, "__code__", type(test))

    @property
    def _rb_id(self) -> Any:
        """What its last evaluation has read: a search treats equal waits of one thread as one."""
        return tuple([(obj._rb_id, op.field) for op, obj in self.reads])

    def holds(self, s: Floor) -> bool:
        """Evaluate without making steps; a predicate that raises holds, and raises in its thread."""
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
        names = (object_name(op, obj) for op, obj in self.reads)
        return ", ".join(dict.fromkeys(names)) or "nothing shared"

    name = property(label)

    def owners_for(self, task: Task) -> Iterable[Task]:
        return ()


def wait_until(s: Floor, test: Callable[[], Any]) -> None:
    """Offer to go on; the offer can be chosen only while ``test()`` is true."""
    me = s.caller()
    if me is None:
        if not test():
            raise HarnessBug("wait_until outside the program's threads would never end")
        return
    if me.aborted:
        s.unwinding(me)
        raise ThreadAbort
    predicate = Predicate(test, me)
    s.ask_again()
    s.watchers.append(me)
    try:
        me.op, me.obj, me.ready = ops.WAIT_UNTIL, predicate, predicate.holds(s)
        s.block_or_go(me)
    finally:
        if me in s.watchers:
            s.watchers.remove(me)
    me.obj = None
    s.current, s.seeing = None, me
    try:
        test()
    finally:
        s.current, s.seeing = me, None


def substitutes(s: Floor, fence: Callable[[], None] | None) -> dict[type, type]:
    """Return the base of every primitive under ``s``, and the classes of those that need more than the base.

    ``fence`` comes before each step that is a barrier, if the program has store buffers.
    """
    base: type = type("Controlled", (Controlled,), {"_s": s})
    if fence is not None:
        base = fencing(base, fence)
    return {
        Primitive: base,
        Lock: type("ControlledLock", (ControlledLock, base), {}),
        RLock: type("ControlledRLock", (ControlledLock, RLock, base), {}),
        Condition: type("ControlledCondition", (ControlledCondition, base), {}),
        Event: type("ControlledEvent", (ControlledEvent, base), {}),
    }


def fencing(base: Any, fence: Callable[[], None]) -> type:
    """Return ``base`` with store buffers: they run empty before a thread takes, gives or waits."""

    class Fencing(base):  # type: ignore[misc]
        def _step(self, op: Op, effect: Effect, arg: Any = None) -> Any:
            if op.writes and op is not ops.NOTIFY and op is not ops.NOTIFY_ALL:
                fence()
            return super()._step(op, effect, arg)

        def _block(self, op: Op, effect: Effect, *how: Any, **more: Any) -> Any:
            fence()
            return super()._block(op, effect, *how, **more)

    return Fencing
