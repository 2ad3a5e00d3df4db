"""Shared state and synchronisation for programs under test.

Outside a run every class here is an ordinary object over ``threading``, and a
``shared`` field is an ordinary attribute: a model can be unit-tested with no
engine.  During a run the installed runtime (one per process at a time) makes
each object that is *created* then one of its own: fields become instrumented
properties, locks the engine's locks.  Hence the one rule for users: build the
state inside ``setup`` (or inside a thread), not before.

Locks here are identified by a class ("desc") and an optional index ("64").
"""

from __future__ import annotations

import copy
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, ClassVar, Protocol, Self, TypeVar, cast

from .errors import CheckFailed, UsageError, told
from .findings import check_words
from .values import Instrumented, kept_when_copied, leaves

T = TypeVar("T")


class Runtime(Protocol):
    """What an engine installs for the length of a run."""

    types: dict[type, Any]
    """The engine's own class for each primitive and State class met so far."""

    numbers: bool
    """Whether the engine wants to hear of each new object."""

    def substitute(self, cls: type) -> Any:
        """The engine's own class for ``cls``, which is not in ``types`` yet."""

    def created(self, obj: Any) -> None:
        """A new State or lock exists; called before its ``__init__`` goes on."""

    def wait_until(self, predicate: Callable[[], Any]) -> None: ...

    def irqs(self, on: bool | None) -> bool:
        """Switch the calling thread's interrupts on or off (None: neither); whether they were on."""

    def fence(self) -> None:
        """The calling thread's stores so far are visible before anything that it does next."""

    def check_failed(self, rule: str, message: str) -> None:
        """Report and unwind the calling thread."""


_runtime: Runtime | None = None
_install_lock = threading.Lock()


@contextmanager
def installed(runtime: Runtime) -> Iterator[None]:
    """Make ``runtime`` the process's runtime; UsageError if one is there."""
    global _runtime
    if not _install_lock.acquire(blocking=False):
        raise UsageError(
            "another RaceBench run is going on in this process. "
            "Use one process for each run that is to go on at the same time."
        )
    _runtime = runtime
    try:
        yield
    finally:
        _runtime = None
        _install_lock.release()


@contextmanager
def lent(runtime: Runtime) -> Iterator[None]:
    """Make ``runtime`` the process's for a while, in the place of one that is installed, if any.

    For a check, which runs while all threads of the run are at rest.
    """
    global _runtime
    before, _runtime = _runtime, runtime
    try:
        yield
    finally:
        _runtime = before


# --------------------------------------------------------------------------
# Shared fields


class Field:
    """The declaration of one shared field; see ``shared``.

    Outside a run the field is a plain instance attribute.  Asked of the class it
    is the default, as ``dataclasses`` asks for it.
    """

    __slots__ = ("atomic", "default", "delayed", "name")

    def __init__(self, default: Any, atomic: bool, delayed: bool = False) -> None:
        self.default, self.atomic, self.delayed, self.name = default, atomic, delayed, ""

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        return self.default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name


def shared(default: T, *, atomic: bool = False, delayed: bool = False) -> T:
    """Declare an instrumented field of a State class.

    Each read and each write is one step.  ``atomic=True`` says that the code
    under test accesses it atomically: exempt from ``data_race``, and ordering.

    The default is copied whole for each instance.  Under control each use of a
    list, dict, set or deque that a field has, and of those within it (in one
    another, in tuples, in frozen dataclasses), is a step too: ``s.seen["k"] += 1``
    reads the field, reads the dict and writes it, and another thread may come in
    between.  Each ``next`` of an iteration is one.  So it is with those assigned or
    put in later, unless something else refers to them as well: a copy of ours would
    not be what that refers to.  ``data_race`` looks at the field's own reads and
    writes alone.

    What else can change in place (an object with attributes, a bytearray, an
    iterator, a closure) changes unseen.  If two threads touch a field that has such
    a value, ``explore``, ``verify`` and ``replay`` say so, and find no more than they
    see: their answer is not CLEAN but UNKNOWN.  So it is if code in C changes a list
    without asking it, as heapq does.  An object without attributes says that it is one
    by ``__slots__ = ()``; one that does not change is a frozen dataclass.  Two reads of
    what changes unseen are searched in both orders, and what is done in between is
    taken as one step.  ``stress`` has real threads use the real objects, and misses
    nothing by this.

    ``delayed=True``: a write may become visible to other threads later than what
    the writer does after it, as on ARM.  With ``atomic`` too, it is what Linux
    and Xen write with WRITE_ONCE: no data race by itself, ordering what its
    writer did before the store and what a reader does after it has seen the value.
    Each thread has a first-in first-out buffer for each delayed field of each
    object.  A write goes there (step STORE), and leaves it for all to see in a
    step of the buffer (WRITE), at any time.  The writer itself reads its own
    latest write.  Before a thread goes on from ``smp_wmb`` or ``smp_mb``, takes or
    releases a lock or semaphore, waits on a condition, or is interrupted, and
    before its handler returns, its buffers have run empty; so they have at
    the end, before ``check``.  Loads are not delayed, nor are other fields.
    In a run the objects of a class with delayed fields are made in ``setup``.
    """
    return cast(T, Field(default, atomic, delayed))


delays_declared = False
"""Whether any class of this process has a delayed field."""


_bare = object.__new__


def _copier(cls: type, field: Field) -> Callable[[Any, Any], Any]:
    """What makes the value of a new object from the default of ``field``: a copy, whole."""
    kept = list(kept_when_copied(field.default))

    def copied(default: Any, owner: Any) -> Any:
        try:
            return copy.deepcopy(default, {id(one): one for one in kept})
        except Exception as error:
            raise UsageError(
                f"{cls.__name__}.{field.name}: its default cannot be copied for each object: {told(error)}. "
                "Assign it in __init__."
            ) from error

    return copied


class State(Instrumented):
    """Base of shared state.  Override ``label`` to name instances in reports."""

    _rb_fields: ClassVar[dict[str, Field]] = {}
    _rb_defaults: ClassVar[dict[str, Any]] = {}
    _rb_copied: ClassVar[tuple[tuple[str, Callable[[Any, Any], Any]], ...]] = ()
    _rb_delayed: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_rb_variant_of" in cls.__dict__:
            return
        fields = dict(cls._rb_fields)
        fields.update({k: v for k, v in cls.__dict__.items() if isinstance(v, Field)})
        cls._rb_fields = fields
        cls._rb_defaults = {name: f.default for name, f in fields.items()}
        cls._rb_delayed = tuple(name for name, f in fields.items() if f.delayed)
        if cls._rb_delayed:
            global delays_declared
            delays_declared = True
        cls._rb_copied = tuple((name, _copier(cls, f)) for name, f in fields.items() if leaves(f.default))

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:
        runtime = _runtime
        own: Any = cls if runtime is None else runtime.types.get(cls) or runtime.substitute(cls)
        obj: Self = _bare(own)
        obj.__dict__.update(own._rb_defaults)
        if runtime is not None and runtime.numbers:
            runtime.created(obj)
        if own._rb_copied:
            for name, copied in own._rb_copied:
                obj.__dict__[name] = copied(obj.__dict__[name], obj)
        return obj

    def label(self) -> str:
        """The name of this object in schedules and reports.

        Must not change during an execution nor read a shared field.  The
        default is the class name, with ``#n`` from the second instance on.
        """
        serial = self.__dict__.get("_rb_serial", "")
        return f"{type(self).__name__}{serial}"


# --------------------------------------------------------------------------
# Locks


class _Primitive(Instrumented):
    """Chooses the runtime's class and names the object."""

    _rb_serial = ""
    kind = "lock"

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:
        runtime = _runtime
        own: Any = cls if runtime is None else runtime.types.get(cls) or runtime.substitute(cls)
        made: Self = object.__new__(own)
        return made

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        self.cls = cls or self.kind
        self.index = index
        runtime = _runtime
        if runtime is not None and runtime.numbers:
            runtime.created(self)

    @property
    def name(self) -> str:
        """``class`` or ``class[index]``; ``#n`` tells same-named ones apart."""
        base = self.cls if self.index is None else f"{self.cls}[{self.index}]"
        return f"{base}{self._rb_serial}"

    def label(self) -> str:
        return self.name

    @property
    def made_in_thread(self) -> bool:
        """Under control: whether a thread made it, so that others must first learn of it."""
        return self._rb_serial.startswith("@")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Lock(_Primitive):
    """A non-recursive lock over a real ``threading.Lock``; ``with lock:`` holds it.

    ``Lock("desc", 64)`` is called desc[64] in reports: the class says what kind of
    lock it is, for the order in which kinds are taken, the index which of them.

    A subclass whose ``acquire`` and ``__enter__`` call these says in
    ``frames_between`` how many calls deep, so that reports name its caller.
    """

    frames_between = 0

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(cls, index)
        self.real = threading.Lock()

    def acquire(self, blocking: bool = True) -> bool:
        """Take the lock; with ``blocking=False`` return at once, False if it is held."""
        return self.real.acquire(blocking)

    def release(self) -> None:
        """Give the lock up; RuntimeError if it is not held (in a run: lock.misuse)."""
        self.real.release()

    def locked(self) -> bool:
        """Whether anyone holds it: Xen's ``spin_is_locked``."""
        return self.real.locked()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release()

    def irq(self) -> IrqGuard:
        """``with lock.irq():`` holds it with interrupts off, and **switches them on** after.

        Xen: spin_lock_irq, spin_unlock_irq.  On also if they were off before:
        right only where they never are; see ``irqsave``.
        """
        return IrqGuard(self, False)

    def irqsave(self) -> IrqGuard:
        """``with lock.irqsave():`` holds it with interrupts off, and puts them back as they were.

        Xen: spin_lock_irqsave, spin_unlock_irqrestore.
        """
        return IrqGuard(self, True)

    def held_from(self, frame: FrameType) -> None:
        """In a run: say that ``frame`` took the lock just now, not one that it called."""


class IrqGuard:
    """A lock that is held with interrupts off, as a context manager."""

    __slots__ = ("_lock", "_restore", "_were_on")

    def __init__(self, lock: Lock, restore: bool) -> None:
        self._lock, self._restore = lock, restore
        self._were_on = True

    def __enter__(self) -> bool:
        self._were_on = _irqs(False) or not self._restore
        self._lock.acquire()
        self._lock.held_from(sys._getframe(1))
        return True

    def __exit__(self, *exc: object) -> None:
        self._lock.release()
        if self._were_on:
            _irqs(True)


class RLock(Lock):
    """A lock that its holder may take again; released as often as taken."""

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        super().__init__(cls, index)
        self._holder: int | None = None
        self._depth = 0

    def acquire(self, blocking: bool = True) -> bool:
        me = threading.get_ident()
        if self._holder == me:
            self._depth += 1
            return True
        if not self.real.acquire(blocking):
            return False
        self._holder, self._depth = me, 1
        return True

    def release(self) -> None:
        if self._holder != threading.get_ident():
            raise RuntimeError(f"{self.name}: released by a thread that does not hold it")
        self._depth -= 1
        if not self._depth:
            self._holder = None
            self.real.release()


class Guard:
    """One side of a read-write lock, as a context manager."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, enter: Callable[[], Any], leave: Callable[[], Any]) -> None:
        self._enter, self._leave = enter, leave

    def __enter__(self) -> bool:
        self._enter()
        return True

    def __exit__(self, *exc: object) -> None:
        self._leave()


class RWLock(_Primitive):
    """Many readers or one writer.

    ``fair``, as in Xen and Linux: a writer that waits holds new readers back.  A
    reader enters once no writer holds the lock and none of those that held it or
    waited for it when the reader came still does; so a reader that comes again
    while a writer waits for it to leave waits for ever.  Which of several waiting
    writers is next is not fixed.  ``fair=False``: readers are let in whenever no
    writer holds it, and a writer whenever nobody does.
    """

    kind = "rwlock"

    def __init__(self, cls: str | None = None, index: int | str | None = None, *, fair: bool = True) -> None:
        super().__init__(cls, index)
        self.fair = fair
        self._monitor = threading.Condition(threading.Lock())
        self._readers = 0
        self._writing = False
        # The writers that wait, one entry for each time; a new reader remembers those it found.
        self._wanting: list[object] = []

    def acquire_read(self) -> bool:
        with self._monitor:
            ahead = list(self._wanting) if self.fair else []
            while self._writing or any(turn in self._wanting for turn in ahead):
                self._monitor.wait()
            self._readers += 1
        return True

    def release_read(self) -> None:
        with self._monitor:
            if not self._readers:
                raise RuntimeError(f"{self.name}: no reader to release")
            self._readers -= 1
            self._monitor.notify_all()

    def acquire_write(self) -> bool:
        turn = object()
        with self._monitor:
            self._wanting.append(turn)
            try:
                while self._writing or self._readers:
                    self._monitor.wait()
                self._writing = True
            finally:
                # Also if an exception ends the wait: readers may be behind us.
                self._wanting.remove(turn)
                self._monitor.notify_all()
        return True

    def release_write(self) -> None:
        with self._monitor:
            if not self._writing:
                raise RuntimeError(f"{self.name}: no writer to release")
            self._writing = False
            self._monitor.notify_all()

    def read(self) -> Guard:
        """``with lock.read():`` shares it with other readers."""
        return Guard(self.acquire_read, self.release_read)

    def write(self) -> Guard:
        """``with lock.write():`` holds it alone."""
        return Guard(self.acquire_write, self.release_write)


class Condition(_Primitive):
    """A condition variable over ``lock``; waiters are woken first come, first served.

    ``spurious``: in a run ``wait`` may also return unasked, as POSIX allows, so that
    code which does not look again at what it waits for is found out: once for each
    thread and condition in an execution, so that a loop around ``wait`` has an end.
    """

    kind = "condition"

    def __init__(self, lock: Lock | None = None, cls: str | None = None, *, spurious: bool = False) -> None:
        self.lock = lock if lock is not None else Lock(f"{cls or self.kind}.lock")
        super().__init__(cls)
        self.spurious = spurious
        self._waiters: list[Any] = []

    def acquire(self, blocking: bool = True) -> bool:
        return self.lock.acquire(blocking)

    def release(self) -> None:
        self.lock.release()

    def __enter__(self) -> bool:
        return self.lock.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.lock.__exit__(kind, value, tb)

    def wait(self) -> bool:
        """Drop the lock, sleep until notified, take the lock again."""
        gate = threading.Lock()
        gate.acquire()
        self._waiters.append(gate)
        self.lock.release()
        gate.acquire()
        self.lock.acquire()
        return True

    def wait_for(self, predicate: Callable[[], Any]) -> Any:
        """``wait`` until ``predicate()`` is true; returns its value."""
        while not (value := predicate()):
            self.wait()
        return value

    def notify(self, n: int = 1) -> None:
        """Wake the ``n`` longest waiting threads; call it with the lock held."""
        for _ in range(min(n, len(self._waiters))):
            self._waiters.pop(0).release()

    def notify_all(self) -> None:
        self.notify(len(self._waiters))


class Semaphore(_Primitive):
    """A counting semaphore: ``acquire`` waits while the count is 0."""

    kind = "semaphore"

    def __init__(self, n: int = 1, cls: str | None = None, index: int | str | None = None) -> None:
        if n < 0:
            raise ValueError("a semaphore's initial count must be 0 or more")
        super().__init__(cls, index)
        self.initial = n
        self._real = threading.Semaphore(n)

    def acquire(self, blocking: bool = True) -> bool:
        return self._real.acquire(blocking)

    def release(self) -> None:
        self._real.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()


def wait_until(predicate: Callable[[], Any]) -> None:
    """Spin until ``predicate()`` is true.

    The scheduler treats the waiting thread as blocked until a step of another
    thread makes the predicate true, so it neither starves nor hides a hang.
    ``predicate`` must only read.
    """
    runtime = _runtime
    if runtime is not None:
        runtime.wait_until(predicate)
        return
    while not predicate():
        time.sleep(0)


# --------------------------------------------------------------------------
# Interrupts


class _Outside(threading.local):
    irqs = True


_outside = _Outside()


def _irqs(on: bool | None) -> bool:
    runtime = _runtime
    if runtime is not None:
        return runtime.irqs(on)
    were = _outside.irqs
    if on is not None:
        _outside.irqs = on
    return were


def irqs_off() -> None:
    """Keep interrupts off the calling thread (Xen: local_irq_disable)."""
    _irqs(False)


def irqs_on() -> None:
    """Let interrupts come to the calling thread (Xen: local_irq_enable)."""
    _irqs(True)


def irqs_enabled() -> bool:
    """Whether an interrupt may come to the calling thread (Xen: local_irq_is_enabled)."""
    return _irqs(None)


class _IrqsOff:
    """Interrupts off for a while, as a context manager."""

    __slots__ = ("_were_on",)

    def __enter__(self) -> None:
        self._were_on = _irqs(False)

    def __exit__(self, *exc: object) -> None:
        if self._were_on:
            _irqs(True)


def irqsave() -> _IrqsOff:
    """``with rb.irqsave():`` has interrupts off, and puts them back as they were."""
    return _IrqsOff()


# --------------------------------------------------------------------------
# Barriers


def smp_mb() -> None:
    """Everything the calling thread wrote is visible before it goes on (Xen: smp_mb)."""
    runtime = _runtime
    if runtime is not None:
        runtime.fence()


def smp_wmb() -> None:
    """Everything the calling thread wrote is visible before it goes on (Xen: smp_wmb).

    Unlike Xen, the same as ``smp_mb``: a later read waits too.  So code that has
    smp_wmb where it needs smp_mb is not found out.
    """
    smp_mb()


def check_that(condition: Any, rule: str, message: str) -> None:
    """An assertion of the machine under test.

    During a run a false ``condition`` is a finding of ``rule`` and ends the
    execution (in stress: the collision); outside it raises CheckFailed.
    TypeError if it fails and ``rule`` or ``message`` is no string.
    """
    if condition:
        return
    rule, message = check_words(rule, message)
    runtime = _runtime
    if runtime is None:
        raise CheckFailed(rule, message)
    runtime.check_failed(rule, message)
