"""The runtime: an engine installs one for the length of a run, and programs call it."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

from ..errors import CheckFailed, UsageError
from ..findings import check_words


class Clock(Protocol):
    """The clock of a run; see ``clock``."""

    def sleep(self, seconds: float) -> None:
        """Advance the time of the calling thread by ``seconds``."""

    def now(self) -> float:
        """Seconds since some moment."""


class Runtime(Protocol):
    """The interface that an engine installs for the length of a run."""

    types: dict[type, Any]
    """The engine's own class for each primitive and State class used so far."""

    numbers: bool
    """Whether the engine wants ``created`` to be called for each new object."""

    @property
    def era(self) -> int:
        """A number of the present execution, or of the whole free run, that no other one has."""

    @property
    def clock(self) -> Clock:
        """The clock of the run."""

    def substitute(self, cls: type) -> Any:
        """The engine's own class for ``cls``, which is not in ``types`` yet."""

    def created(self, obj: Any) -> None:
        """Handle a new State or lock; called before its ``__init__`` continues."""

    def enrol(self, thread: Any) -> Any:
        """Set ``called`` of the new ``thread``; return the Thread that makes it, None in setup."""

    def spawn(self, thread: Any) -> None:
        """Make ``thread`` run its ``perform``, and set its ``runner``; within the step that starts it."""

    def hand_over(self, what: str, value: Any) -> None:
        """Another thread gets ``value`` otherwise than by a field; ``what`` describes it in words."""

    def outlives(self, what: str) -> None:
        """Report that ``what``, made in an earlier execution, is used in this one."""

    def execution(self) -> Any:
        """A key of the calling thread's execution, or collision."""

    def without_numbers(self, make: Callable[[], Any]) -> Any:
        """Return ``make()``; the objects that it makes are not counted."""

    def next_hash(self) -> int:
        """A hash for a new object, the same in each execution."""

    def running(self) -> Any:
        """The Thread object, or the record, of the calling thread; None if it is not the program's."""

    def runs_program(self) -> bool:
        """Whether the calling thread runs the program's code: that of a thread, or of setup."""

    def wait_until(self, predicate: Callable[[], Any]) -> None: ...

    def irqs(self, on: bool | None) -> bool:
        """Switch the calling thread's interrupts on or off (None: neither); return whether they were on."""

    def fence(self) -> None:
        """Make the calling thread's stores so far visible before its next operation."""

    def check_failed(self, rule: str, message: str) -> None:
        """Report the finding and unwind the calling thread."""


eras = itertools.count(1)
"""Each run takes a number, with which the eras of its executions begin."""

current: Runtime | None = None
"""The process's runtime, None outside a run.  Written by the thread that holds ``_install_lock``."""

_install_lock = threading.Lock()


@contextmanager
def installed(runtime: Runtime) -> Iterator[None]:
    """Make ``runtime`` the process's runtime; UsageError if there is one already."""
    global current
    if not _install_lock.acquire(blocking=False):
        raise UsageError(
            "another RaceBench run is going on in this process. "
            "Use one process for each run that is to go on at the same time."
        )
    current = runtime
    try:
        yield
    finally:
        current = None
        _install_lock.release()


@contextmanager
def lent(runtime: Runtime) -> Iterator[None]:
    """Make ``runtime`` the process's for this block, instead of an installed one.

    For a check, which runs while all threads of the run are at rest.
    """
    global current
    before, current = current, runtime
    try:
        yield
    finally:
        current = before


def inside() -> bool:
    """Whether the calling thread runs code of a program, in a run."""
    # Read once, because the run may end between two reads.
    now = current
    return now is not None and now.runs_program()


class Outsider:
    """The record of a thread that belongs to no run.

    It has no name of its own, and reports say nothing of what it holds or waits for.
    """

    index, name = -2, "a thread outside the run"
    obj = below = None
    ready, suspended, irqs = True, False, True
    op: Any = None
    held: ClassVar[deque[Any]] = deque(maxlen=0)
    """Always empty, because nobody reads it."""

    def hold(self, lock: Any) -> None: ...

    def drop(self, lock: Any) -> None: ...


GONE = Outsider()
"""Stands for a thread that has ended."""


class _Here(threading.local):
    def __init__(self) -> None:
        self.me = Outsider()


here = _Here()
"""``here.me`` is the record of the calling thread."""


def wait_until(predicate: Callable[[], Any]) -> None:
    """Spin until ``predicate()`` is true.

    The scheduler treats the waiting thread as blocked until a step of another
    thread makes the predicate true, so it neither starves nor hides a hang.
    ``predicate`` must only read.
    """
    if current is not None:
        current.wait_until(predicate)
        return
    while not predicate():
        time.sleep(0)


def irqs(on: bool | None) -> bool:
    """Switch the calling thread's interrupts on or off (None: neither); return whether they were on."""
    if current is not None:
        return current.irqs(on)
    me = here.me
    were = me.irqs
    if on is not None:
        me.irqs = on
    return were


def irqs_off() -> None:
    """Keep interrupts off the calling thread (Xen: local_irq_disable)."""
    irqs(False)


def irqs_on() -> None:
    """Let interrupts come to the calling thread (Xen: local_irq_enable)."""
    irqs(True)


def irqs_enabled() -> bool:
    """Whether an interrupt may come to the calling thread (Xen: local_irq_is_enabled)."""
    return irqs(None)


class _IrqsOff:
    """Switches interrupts off, as a context manager."""

    __slots__ = ("_were_on",)

    def __enter__(self) -> None:
        self._were_on = irqs(False)

    def __exit__(self, *exc: object) -> None:
        if self._were_on:
            irqs(True)


def irqsave() -> _IrqsOff:
    """``with rb.irqsave():`` switches interrupts off, and restores their state after."""
    return _IrqsOff()


def smp_mb() -> None:
    """Everything the calling thread wrote is visible before it goes on (Xen: smp_mb)."""
    if current is not None:
        current.fence()


def smp_wmb() -> None:
    """Everything the calling thread wrote is visible before it goes on (Xen: smp_wmb).

    Unlike Xen, the same as ``smp_mb``: a later read waits too.  So RaceBench does not
    find code that has smp_wmb where it needs smp_mb.
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
    if current is None:
        raise CheckFailed(rule, message)
    current.check_failed(rule, message)
