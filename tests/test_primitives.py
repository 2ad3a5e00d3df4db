"""The primitives' state machines by hand: no scheduler and no threads; and each runtime's calls.

A ``Thread`` is what a machine needs to know of one.  ``ByHand`` is the least
runtime there is: a step is made at once, and who would have to wait is told so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import racebench as rb
from racebench.engine.control.primitives import substitutes
from racebench.errors import ProgramError, ThreadAbort
from racebench.primitives import Primitive, ops
from racebench.primitives.primitive import Effect
from racebench.primitives.runtime import here
from racebench.trace import Kind, Op


class Thread:
    suspended = aborted = False

    def __init__(self, name: str, index: int = 0, below: Thread | None = None) -> None:
        self.name, self.index, self.below = name, index, below
        self.ident = threading.get_ident()
        self.op: Any = None
        self.obj: Any = None
        self.ready = True
        self.asked: int | None = None
        self.held: list[Any] = []
        self.roused: set[Any] = set()

    def __repr__(self) -> str:
        return self.name

    def hold(self, lock: Any) -> None:
        self.held.append((lock, None, 0))

    def drop(self, lock: Any) -> None:
        self.held.remove(next(entry for entry in self.held if entry[0] is lock))


class Waits(Exception):
    """The thread would have to wait."""


class Misused(Exception):
    """It gives up what it does not hold."""


class ByHand(Primitive):
    """``me`` makes each step; who waits is in ``waiting`` until ``goes_on`` finds that it need not."""

    me: Thread
    waiting: dict[Thread, tuple[Effect, Any]]

    def _step(self, op: Op, effect: Effect, arg: Any = None) -> Any:
        self.me.op = op
        return effect(self.me, arg)

    def _block(
        self, op: Op, effect: Effect, arg: Any = None, ask: Op | None = None, timeout: float | None = None
    ) -> Any:
        self.me.op = op
        if not self.ready_for(self.me):
            self.enlist(self.me)
            self.waiting[self.me] = effect, arg
            raise Waits
        return effect(self.me, arg)

    def _misuse(self, me: Any) -> None:  # type: ignore[override]
        raise Misused(f"{me} misuses {self.name}")


class ByHandLock(ByHand, rb.Lock):
    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        frame: Any = _Frame
        call = self._block if blocking else self._step
        effect = self.grant if blocking else self.attempt
        taken: bool = call(ops.ACQUIRE if blocking else ops.TRY_ACQUIRE, effect, frame)
        return taken

    def release(self) -> None:
        self._step(ops.RELEASE, self.drop)


class ByHandRLock(ByHandLock, rb.RLock):
    """The same over the machine of an RLock."""


class _Frame:
    f_code, f_lasti = None, 0


def made(cls: type, *args: Any, **how: Any) -> Any:
    """A ``cls`` for threads that do as they are told."""
    own = {rb.Lock: ByHandLock, rb.RLock: ByHandRLock}.get(cls) or type(cls.__name__, (cls, ByHand), {})
    thing = own(*args, **how)
    thing.waiting = {}
    return thing


def does(who: Thread, call: Callable[..., Any], *args: Any) -> Any:
    """``who`` makes the call and comes back from it."""
    owner: Any = call.__self__  # type: ignore[attr-defined]
    owner.me = who
    if isinstance(owner, rb.Condition):
        owner.lock.me = who  # type: ignore[attr-defined]
    return call(*args)


def waits(who: Thread, call: Callable[..., Any]) -> None:
    """``who`` makes the call and has to wait in it."""
    with pytest.raises(Waits):
        does(who, call)


def goes_on(thing: Any, who: Thread) -> bool:
    """Whether ``who``, which waits, need not any more; then it has what it wanted."""
    if not thing.ready_for(who):
        return False
    effect, arg = thing.waiting.pop(who)
    if effect(who, arg) is who:
        who.hold(thing)
    return True


A, B, C, D = (Thread(name, i) for i, name in enumerate("abcd"))


@pytest.fixture(autouse=True)
def nobody_holds_anything() -> None:
    for thread in (A, B, C, D):
        thread.held.clear()


# -- mutexes


def test_a_lock_is_one_threads() -> None:
    lock = made(rb.Lock)
    assert does(A, lock.acquire)
    assert not does(B, lock.acquire, False)
    waits(B, lock.acquire)
    assert list(lock.owners_for(B)) == [A]
    assert not goes_on(lock, B)
    does(A, lock.release)
    assert lock.owner is None
    assert not A.held
    assert goes_on(lock, B)
    assert lock.owner is B
    assert lock.real.locked()
    does(B, lock.release)
    assert not lock.real.locked()


def test_a_lock_stays_with_its_owner_whoever_else_gives_it_up() -> None:
    lock = made(rb.Lock)
    does(A, lock.acquire)
    with pytest.raises(Misused):
        does(B, lock.release)
    assert lock.owner is A
    does(A, lock.release)
    with pytest.raises(Misused):
        does(A, lock.release)


def test_its_own_lock_a_thread_waits_for() -> None:
    lock = made(rb.Lock)
    does(A, lock.acquire)
    waits(A, lock.acquire)
    assert list(lock.owners_for(A)) == [A]


def test_a_recursive_lock_is_given_up_as_often_as_taken() -> None:
    lock = made(rb.RLock)
    does(A, lock.acquire)
    does(A, lock.acquire)
    assert len(A.held) == 1
    does(A, lock.release)
    waits(B, lock.acquire)
    does(A, lock.release)
    assert goes_on(lock, B)
    does(B, lock.release)
    with pytest.raises(Misused):
        does(B, lock.release)


def test_a_handler_takes_again_what_the_thread_below_it_holds_and_gives_no_more_back() -> None:
    lock, handler = made(rb.RLock), Thread("irq", 9, below=A)
    does(A, lock.acquire)
    does(handler, lock.acquire)
    does(handler, lock.release)
    with pytest.raises(Misused):
        does(handler, lock.release)
    assert lock.owner is A
    does(A, lock.release)


def test_a_handler_waits_for_a_plain_lock_of_the_thread_below_it() -> None:
    lock, handler = made(rb.Lock), Thread("irq", 9, below=A)
    does(A, lock.acquire)
    waits(handler, lock.acquire)
    does(A, lock.release)


# -- semaphores


def test_a_semaphore_lets_in_as_many_as_it_counts() -> None:
    sem = made(rb.Semaphore, 1)
    assert does(A, sem.acquire)
    assert not does(B, sem.acquire, False)
    waits(B, sem.acquire)
    assert list(sem.owners_for(B)) == []
    does(C, sem.release)
    assert goes_on(sem, B)
    assert sem.count == 0


# -- read-write locks


def test_readers_share_and_a_writer_does_not() -> None:
    lock = made(rb.RWLock)
    does(A, lock.acquire_read)
    does(B, lock.acquire_read)
    waits(C, lock.acquire_write)
    assert list(lock.owners_for(C)) == [A, B]
    does(B, lock.release_read)
    assert not goes_on(lock, C)
    does(A, lock.release_read)
    assert goes_on(lock, C)
    assert list(lock.owners_for(D)) == [C]
    does(C, lock.release_write)


def test_a_waiting_writer_holds_new_readers_of_a_fair_lock_back() -> None:
    lock = made(rb.RWLock)
    does(A, lock.acquire_read)
    waits(B, lock.acquire_write)
    waits(C, lock.acquire_read)
    assert list(lock.owners_for(C)) == [B]
    does(A, lock.release_read)
    assert not goes_on(lock, C)
    assert goes_on(lock, B)
    does(B, lock.release_write)
    assert goes_on(lock, C)


def test_it_lets_new_readers_of_an_unfair_lock_pass() -> None:
    lock = made(rb.RWLock, fair=False)
    does(A, lock.acquire_read)
    waits(B, lock.acquire_write)
    does(C, lock.acquire_read)
    assert list(lock.owners_for(B)) == [A, C]


def test_a_reader_waits_for_no_writer_that_came_after_it() -> None:
    lock = made(rb.RWLock)
    does(A, lock.acquire_write)
    waits(B, lock.acquire_read)
    waits(C, lock.acquire_write)
    assert list(lock.owners_for(B)) == [A]
    does(A, lock.release_write)
    assert goes_on(lock, B)
    assert not goes_on(lock, C)


def test_a_writer_that_comes_back_is_not_the_one_that_a_reader_waited_for() -> None:
    lock = made(rb.RWLock)
    does(A, lock.acquire_write)
    waits(B, lock.acquire_read)
    does(A, lock.release_write)
    waits_again = lock.ready_for(B)
    does(A, lock.acquire_write)
    assert waits_again
    assert not goes_on(lock, B)
    assert list(lock.owners_for(B)) == [A]
    does(A, lock.release_write)
    assert goes_on(lock, B)


def test_behind_a_writer_that_gives_up_nobody_waits() -> None:
    lock = made(rb.RWLock)
    does(A, lock.acquire_read)
    waits(B, lock.acquire_write)
    waits(C, lock.acquire_read)
    lock.quit(B)
    assert goes_on(lock, C)


def test_a_reader_that_comes_again_behind_a_writer_waits_for_itself() -> None:
    lock = made(rb.RWLock)
    does(A, lock.acquire_read)
    waits(B, lock.acquire_write)
    waits(A, lock.acquire_read)
    assert list(lock.owners_for(A)) == [B]
    assert list(lock.owners_for(B)) == [A]


@pytest.mark.parametrize("held", ["read", "write"])
def test_one_side_of_a_read_write_lock_is_not_given_up_for_the_other(held: str) -> None:
    lock, other = made(rb.RWLock), "write" if held == "read" else "read"
    does(A, getattr(lock, f"acquire_{held}"))
    with pytest.raises(Misused):
        does(A, getattr(lock, f"release_{other}"))
    with pytest.raises(Misused):
        does(B, getattr(lock, f"release_{held}"))
    does(A, getattr(lock, f"release_{held}"))


def test_what_becomes_of_asking_a_fair_lock_the_lock_decides() -> None:
    lock = made(rb.RWLock)
    B.op, C.op = ops.ASK_WRITE, ops.ASK_READ
    assert lock.ready_for(B) and B.op is ops.ASK_WRITE
    does(A, lock.acquire_read)
    assert lock.ready_for(B) and B.op is ops.REQUEST_WRITE
    assert lock.ready_for(C) and C.op is ops.ASK_READ
    lock.enlist(B)
    assert lock.ready_for(C) and C.op is ops.REQUEST_READ
    lock.quit(B)
    assert lock.ready_for(C) and C.op is ops.ASK_READ


# -- conditions


def condition(lock: type = rb.Lock) -> Any:
    return made(rb.Condition, made(lock), "cond")


def sleeps(who: Thread, cond: Any) -> None:
    does(who, cond.lock.acquire)
    waits(who, cond.wait)


def test_who_waits_has_let_go_of_the_lock_and_waits_for_nobody() -> None:
    cond = condition()
    sleeps(A, cond)
    assert cond.lock.owner is None
    assert list(cond.owners_for(A)) == []
    assert not goes_on(cond, A)


def test_sleepers_wake_in_the_order_in_which_they_came() -> None:
    cond = condition()
    for who in (A, B, C):
        sleeps(who, cond)
    does(D, cond.lock.acquire)
    does(D, cond.notify, 2)
    assert [goes_on(cond, who) for who in (A, B, C)] == [True, True, False]
    does(D, cond.notify_all)
    assert goes_on(cond, C)


def test_a_notification_that_comes_before_the_wait_is_lost() -> None:
    cond = condition()
    does(A, cond.lock.acquire)
    does(A, cond.notify)
    does(A, cond.lock.release)
    sleeps(B, cond)
    assert not goes_on(cond, B)


@pytest.mark.parametrize("call", ["wait", "notify", "notify_all"])
def test_a_condition_asks_for_its_lock(call: str) -> None:
    cond = condition()
    with pytest.raises(Misused, match="a misuses lock"):
        does(A, getattr(cond, call))


def test_a_wait_gives_up_a_recursive_lock_wholly() -> None:
    cond = condition(rb.RLock)
    does(A, cond.lock.acquire)
    sleeps(A, cond)
    assert (cond.lock.owner, cond.lock.depth) == (None, 0)


def test_who_gives_up_uses_no_notification_up() -> None:
    cond = condition()
    sleeps(A, cond)
    sleeps(B, cond)
    cond.quit(A)
    does(C, cond.lock.acquire)
    does(C, cond.notify)
    assert goes_on(cond, B)


# -- the controlled runtime: which steps each operation makes


class Floor:
    """A floor that its one thread never gives away."""

    spy = seeing = relation = recorder = None
    closing = False

    def __init__(self) -> None:
        self.current: Thread | None = Thread("a")
        self.log: list[Kind] = []
        self.faults: list[Any] = []
        self.fences = 0
        self.settled: list[Any] = []
        self.types: dict[type, Any] = substitutes(self, None)  # type: ignore[arg-type]

    def fencing(self) -> Floor:
        def fence() -> None:
            self.fences += 1

        self.types = substitutes(self, fence)  # type: ignore[arg-type]
        return self

    def make(self, cls: type, *args: Any, **how: Any) -> Any:
        own = self.types.get(cls) or type(cls.__name__, (cls, self.types[Primitive]), {})
        thing = own(*args, **how)
        thing._rb_id = 0
        return thing

    def point(self, op: Op, obj: Any) -> None:
        if self.current is not None and not self.current.aborted:
            self.current.op, self.current.obj = op, obj
            self.log.append(op.kind)

    def block_or_go(self, me: Thread) -> None:
        if not me.ready:
            raise Waits
        self.log.append(me.op.kind)

    def object_changed(self, obj: Any, me: Thread) -> None:
        self.settled.append(obj)

    def refresh(self) -> None: ...

    def unwinding(self, me: Thread) -> None: ...

    def say(self, fault: Any, *by: Any) -> None:
        self.faults.append(fault.rule)


def test_each_operation_makes_the_steps_that_it_is_known_by() -> None:
    floor = Floor()
    lock, again, sem = floor.make(rb.Lock), floor.make(rb.RLock), floor.make(rb.Semaphore, 1)
    with lock, again, again, sem:
        assert not lock.acquire(blocking=False)
        assert not sem.acquire(blocking=False)
        assert lock.locked()
    inner = [Kind.ACQUIRE, Kind.ACQUIRE, Kind.ACQUIRE, Kind.DOWN, Kind.TRY_ACQUIRE, Kind.TRY_DOWN]
    assert floor.log == [*inner, Kind.LOCKED, Kind.UP, Kind.RELEASE, Kind.RELEASE, Kind.RELEASE]
    assert not floor.current.held  # type: ignore[union-attr]


def test_a_fair_lock_is_asked_in_one_step_and_waited_for_in_another() -> None:
    floor, other = Floor(), Thread("b", 1)
    lock = floor.make(rb.RWLock)
    with lock.read():
        pass
    lock._let_in(other, ops.ENTER_READ)
    with pytest.raises(Waits):
        lock.acquire_write()
    assert floor.log == [Kind.ACQUIRE_READ, Kind.RELEASE_READ, Kind.REQUEST_WRITE]
    assert lock.wanting == [floor.current]


def test_an_unfair_lock_is_not_asked() -> None:
    floor, other = Floor(), Thread("b", 1)
    lock = floor.make(rb.RWLock, fair=False)
    lock._let_in(other, ops.ACQUIRE_READ)
    with pytest.raises(Waits):
        lock.acquire_write()
    assert floor.log == []
    assert lock.wanting == []


def test_who_is_notified_offers_to_take_the_lock_and_wakes_in_no_step_of_its_own() -> None:
    floor, other = Floor(), Thread("b", 1)
    cond = floor.make(rb.Condition, floor.make(rb.Lock))
    other.op, other.obj, other.ready = ops.SLEEP, cond, False
    cond.waiters.append(other)
    with cond:
        cond.notify_all()
    assert (other.op, other.obj) == (ops.ACQUIRE, cond.lock)
    assert floor.log == [Kind.ACQUIRE, Kind.NOTIFY_ALL, Kind.RELEASE]


def test_a_wait_that_may_end_unasked_is_a_step_and_takes_the_lock_in_another() -> None:
    floor = Floor()
    cond = floor.make(rb.Condition, floor.make(rb.RLock), spurious=True)
    with cond, cond.lock:
        cond.wait()
        assert cond.lock.depth == 2
        with pytest.raises(Waits):
            cond.wait()
    assert floor.log[2:5] == [Kind.WAIT, Kind.WAKE, Kind.ACQUIRE]


def test_what_changes_a_lock_has_others_look_at_it() -> None:
    floor = Floor()
    lock, cond = floor.make(rb.Lock), floor.make(rb.Condition, floor.make(rb.Lock), spurious=True)
    with lock:
        assert floor.settled == [lock]
    with cond:
        floor.settled.clear()
        cond.wait()
        assert floor.settled == [cond.lock, cond, cond.lock]


def test_misuse_under_control_is_a_finding_and_changes_nothing() -> None:
    floor = Floor()
    lock = floor.make(rb.Lock)
    lock.release()
    assert floor.faults == ["lock.misuse"]
    assert floor.log == [Kind.RELEASE]


def test_who_unwinds_takes_nothing_and_gives_nothing_up() -> None:
    floor = Floor()
    lock, sem = floor.make(rb.Lock), floor.make(rb.Semaphore, 0)
    lock.acquire()
    assert floor.current is not None
    floor.current.aborted = True
    lock.release()
    sem.release()
    assert (lock.owner, sem.count) == (floor.current, 0)
    for call in (lock.acquire, sem.acquire, lambda: lock.acquire(blocking=False)):
        with pytest.raises(ThreadAbort):
            call()
    assert floor.log == [Kind.ACQUIRE]


def test_in_setup_there_is_nobody_to_wait_for() -> None:
    floor = Floor()
    floor.current = None
    lock, sem, rw = floor.make(rb.Lock), floor.make(rb.Semaphore, 1), floor.make(rb.RWLock)
    with lock, rw.write():
        sem.acquire()
        for call in (lock.acquire, sem.acquire, rw.acquire_read):
            with pytest.raises(ProgramError, match="would never end"):
                call()
    assert sem.count == 0
    assert floor.log == []


def test_a_thread_is_not_told_to_wait_for_setup() -> None:
    floor = Floor()
    lock, me, floor.current = floor.make(rb.Lock), floor.current, None
    lock.acquire()
    floor.current = me
    with pytest.raises(Waits):
        lock.acquire()
    assert list(lock.owners_for(me)) == []


def test_the_steps_that_are_barriers_have_the_stores_run_empty() -> None:
    floor = Floor().fencing()
    cond = floor.make(rb.Condition, floor.make(rb.Lock), spurious=True)
    with cond:
        assert floor.fences == 1
        cond.notify()
        assert floor.fences == 1
        cond.wait()
        assert floor.fences == 2
    assert floor.fences == 3
    sem, rw = floor.make(rb.Semaphore, 1), floor.make(rb.RWLock)
    with sem, rw.read():
        pass
    assert floor.fences == 7


# -- in the free run, by the thread that makes states and checks them


def test_setup_uses_what_the_threads_then_find_as_it_left_it() -> None:
    class Shop(rb.State):
        def __init__(self) -> None:
            self.lock, self.again, self.rw = rb.Lock("lock"), rb.RLock("again"), rb.RWLock("rw")
            self.sem, self.cond = rb.Semaphore(1, "sem"), rb.Condition(self.again, "cond")
            with self.lock, self.again, self.again, self.rw.write():
                self.sem.acquire()
                self.cond.notify()

    def thread(s: Shop) -> None:
        rb.check_that(not s.sem.acquire(blocking=False), "sem.free", "setup has taken it")
        with s.lock, s.again, s.rw.read():
            pass

    def check(s: Shop, results: Any) -> None:
        s.sem.release()
        with s.lock, s.cond, s.again, s.rw.write(), s.sem:
            pass

    program = rb.Program("shop", Shop, {"a": thread, "b": thread}, check=check)
    assert not rb.stress(program, seconds=0.2).findings
    assert not [f for f in rb.verify(program).findings if f.rule != "lock_order.inversion"]


class Left(rb.State):
    def __init__(self) -> None:
        self.lock = rb.Lock("lock")
        self.lock.acquire()


def takes(s: Left) -> None:
    with s.lock:
        pass


@pytest.mark.parametrize("mode", [rb.verify, lambda p: rb.stress(p, seconds=60, stop_on_first=True)])
def test_a_lock_that_setup_leaves_locked_is_waited_for_in_vain(mode: Any) -> None:
    result = mode(rb.Program("left", Left, {"a": takes, "b": takes}))
    assert [finding.rule for finding in result.findings] == ["deadlock.wait"]


# -- events, barriers and timeouts, by hand


def test_an_event_lets_go_who_waits_also_if_it_is_cleared_at_once() -> None:
    event = made(rb.Event)
    waits(A, event.wait)
    does(B, event.set)
    does(B, event.clear)
    assert goes_on(event, A)
    waits(A, event.wait)
    assert not goes_on(event, A)


def test_what_becomes_of_asking_an_event_the_flag_decides() -> None:
    event = made(rb.Event)
    A.op = ops.ASK_EVENT
    assert event.ready_for(A) and A.op is ops.AWAIT
    does(B, event.set)
    assert event.ready_for(A) and A.op is ops.ASK_EVENT


def test_who_is_late_for_an_event_is_not_let_go_by_it() -> None:
    event = made(rb.Event)
    waits(A, event.wait)
    assert event.expire(A) is False
    does(B, event.set)
    assert (event.waiters, event.released) == ([], [])


@pytest.mark.parametrize(
    ("make", "op"),
    [(lambda: made(rb.Lock), ops.ACQUIRE), (lambda: made(rb.Semaphore, 1), ops.DOWN)],
    ids=["lock", "semaphore"],
)
def test_an_offer_with_a_timeout_is_always_possible_and_says_what_it_is(make: Any, op: Op) -> None:
    thing = make()
    offer = B.op = op.timed
    assert thing.ready_for(B) and B.op is offer
    does(A, thing.acquire)
    assert thing.ready_for(B) and B.op.kind is Kind.TIMEOUT
    does(A, thing.release)
    assert thing.ready_for(B) and B.op is offer


def test_a_release_of_several_lets_in_as_many() -> None:
    sem = made(rb.Semaphore, 0)
    waits(A, sem.acquire)
    waits(B, sem.acquire)
    waits(C, sem.acquire)
    does(D, sem.release, 2)
    assert goes_on(sem, A) and goes_on(sem, B) and not goes_on(sem, C)


def test_a_barrier_lets_nobody_in_before_all_have_left() -> None:
    barrier = made(rb.Barrier, 2)
    waits(A, barrier.wait)
    assert barrier.count == 1
    assert does(B, barrier.wait) == 1
    waits(C, barrier.wait)
    assert goes_on(barrier, A)
    assert goes_on(barrier, C)
    assert barrier.count == 1


def test_a_barrier_that_breaks_while_it_lets_go_is_broken_for_who_has_not_left() -> None:
    barrier = made(rb.Barrier, 2)
    waits(A, barrier.wait)
    does(B, barrier.wait)
    does(C, barrier.abort)
    assert barrier._leave(A, None) is False
    with pytest.raises(rb.BrokenBarrierError):
        does(C, barrier.wait)
    does(C, barrier.reset)
    waits(C, barrier.wait)


def test_nobody_is_late_for_a_barrier_while_its_action_runs() -> None:
    barrier = made(rb.Barrier, 2, print)
    waits(A, barrier.wait)
    A.op = ops.LEAVE.timed
    barrier.acting = B
    assert not barrier.may_expire()
    assert not barrier.ready_for(A)
    assert list(barrier.owners_for(A)) == [B]
    B.op = ops.ACTED
    assert barrier.ready_for(B)


# -- outside a run


def _thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    came: list[Any] = []
    thread = threading.Thread(target=lambda: came.append(call()))
    thread.start()
    return thread, came


def test_outside_a_run_a_timeout_ends_a_wait_and_none_lets_it_be_granted() -> None:
    lock, sem, event = rb.Lock(), rb.Semaphore(0), rb.Event()
    cond, barrier = rb.Condition(), rb.Barrier(2)
    lock.acquire()
    assert not lock.acquire(timeout=0.001)
    assert not sem.acquire(timeout=0.001)
    assert not event.wait(timeout=0.001)
    with cond, cond:
        assert not cond.wait(timeout=0.001)
        assert cond.waiters == []
        assert not cond.wait_for(lambda: False, timeout=0.001)
    with pytest.raises(rb.BrokenBarrierError):
        barrier.wait(timeout=0.001)
    assert barrier.broken
    barrier.reset()
    for call, done in ((sem.acquire, sem.release), (event.wait, event.set), (lock.acquire, lock.release)):
        thread, came = _thread(lambda call=call: call(timeout=60))  # type: ignore[misc]
        done()
        thread.join()
        assert came == [True]


def test_outside_a_run_a_barrier_lets_all_go_together() -> None:
    acted: list[int] = []
    barrier = rb.Barrier(2, lambda: acted.append(barrier.n_waiting))
    for _ in range(2):
        thread, came = _thread(barrier.wait)
        mine = barrier.wait()
        thread.join()
        assert {mine, *came} == {0, 1}
    # As in threading: the barrier is not full before the action has come to its end.
    assert acted == [2, 2]


def test_outside_a_run_an_atomic_value_is_exact() -> None:
    value = rb.Atomic(3)
    assert (value.fetch_add(2), value.exchange(7), value.load()) == (3, 5, 7)
    assert value.compare_exchange(7, 9) and not value.compare_exchange(7, 1)
    value.store("x")
    assert value.load() == "x"


def test_outside_a_run_a_wait_that_an_exception_ends_leaves_nobody_behind_it() -> None:
    class Interrupted(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    lock = rb.RWLock()
    lock._monitor = Interrupted(threading.Lock())  # type: ignore[misc]
    lock._let_in(Thread("other"), ops.ENTER_READ)
    with pytest.raises(KeyboardInterrupt):
        lock.acquire_write()
    assert lock.wanting == []
    lock.acquire_read()


def test_outside_a_run_misuse_is_an_error() -> None:
    for call in (rb.RLock().release, rb.RWLock().release_read, rb.Condition().wait, rb.Condition().notify):
        with pytest.raises(RuntimeError, match="does not hold it"):
            call()
    with pytest.raises(RuntimeError):
        rb.Lock().release()


def test_outside_a_run_a_recursive_lock_knows_its_depth() -> None:
    lock = rb.RLock()
    with lock, lock:
        assert lock.depth == 2
    assert not lock.locked()


def test_nothing_that_setup_took_is_kept() -> None:
    floor = Floor()
    floor.current = None
    floor.make(rb.Lock).acquire()
    assert not here.me.held


def test_who_owns_a_lock_is_looked_at_once() -> None:
    """Its owner may give it up between two looks, and nobody is no thread to wait for."""
    thread = object()

    class GivenUp(rb.Lock):
        looks = iter([thread])

        @property
        def owner(self) -> Any:
            return next(self.looks, None)

    lock = object.__new__(GivenUp)
    assert list(lock.owners_for(None)) == [thread]
    assert list(lock.owners_for(None)) == []
