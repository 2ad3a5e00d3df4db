"""The runtime: what an engine installs for the length of a run, and what programs ask of it."""

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
    """What tells the time in a run; see ``clock``."""

    def sleep(self, seconds: float) -> None:
        """The calling thread lets so much time go by."""

    def now(self) -> float:
        """Seconds since some moment."""


class Runtime(Protocol):
    """What an engine installs for the length of a run."""

    types: dict[type, Any]
    """The engine's own class for each primitive and State class met so far."""

    numbers: bool
    """Whether the engine wants to hear of each new object."""

    @property
    def era(self) -> int:
        """A number for the present execution, or the whole free run, that no other one has."""

    @property
    def clock(self) -> Clock:
        """What tells the time."""

    def substitute(self, cls: type) -> Any:
        """The engine's own class for ``cls``, which is not in ``types`` yet."""

    def created(self, obj: Any) -> None:
        """A new State or lock exists; called before its ``__init__`` goes on."""

    def enrol(self, thread: Any) -> Any:
        """Say what the new ``thread`` is ``called``; whose thread makes it, None in setup."""

    def spawn(self, thread: Any) -> None:
        """Have ``thread`` run its ``perform``, and be its ``runner``; within the step that starts it."""

    def hand_over(self, what: str, value: Any) -> None:
        """Another thread is given ``value``, by no field; ``what`` it is, in words."""

    def outlives(self, what: str) -> None:
        """``what``, which was made in an execution that is over, is used in this one."""

    def execution(self) -> Any:
        """What tells the execution, or collision, that the calling thread is in from others."""

    def without_numbers(self, make: Callable[[], Any]) -> Any:
        """What ``make`` makes, as though nothing had been made."""

    def next_hash(self) -> int:
        """A number for a new object, the same in each execution."""

    def running(self) -> Any:
        """The Thread that the calling thread is, or its record; None if it is not the program's."""

    def runs_program(self) -> bool:
        """Whether the calling thread runs code of the program: a thread's, or setup's."""

    def wait_until(self, predicate: Callable[[], Any]) -> None: ...

    def irqs(self, on: bool | None) -> bool:
        """Switch the calling thread's interrupts on or off (None: neither); whether they were on."""

    def fence(self) -> None:
        """The calling thread's stores so far are visible before anything that it does next."""

    def check_failed(self, rule: str, message: str) -> None:
        """Report and unwind the calling thread."""


eras = itertools.count(1)
"""Each run takes a number, of which the eras of its executions begin."""

current: Runtime | None = None
"""The process's runtime, None outside a run.  Written by the thread that holds ``_install_lock``."""

_install_lock = threading.Lock()


@contextmanager
def installed(runtime: Runtime) -> Iterator[None]:
    """Make ``runtime`` the process's runtime; UsageError if one is there."""
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
    """Make ``runtime`` the process's for a while, in the place of one that is installed, if any.

    For a check, which runs while all threads of the run are at rest.
    """
    global current
    before, current = current, runtime
    try:
        yield
    finally:
        current = before


class Outsider:
    """A thread that no run has, in the place of an engine's own record of a thread.

    It has no name, holds nothing and waits for nothing that a report would tell of.
    """

    index, name = -2, "a thread outside the run"
    obj = below = None
    ready, suspended, irqs = True, False, True
    op: Any = None
    held: ClassVar[deque[Any]] = deque(maxlen=0)
    """Nobody asks, so nothing is kept."""

    def hold(self, lock: Any) -> None: ...

    def drop(self, lock: Any) -> None: ...


GONE = Outsider()
"""In the place of a thread that has ended."""


class _Here(threading.local):
    def __init__(self) -> None:
        self.me = Outsider()


here = _Here()
"""``here.me`` is the calling thread."""


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
    """Switch the calling thread's interrupts on or off (None: neither); whether they were on."""
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
    """Interrupts off for a while, as a context manager."""

    __slots__ = ("_were_on",)

    def __enter__(self) -> None:
        self._were_on = irqs(False)

    def __exit__(self, *exc: object) -> None:
        if self._were_on:
            irqs(True)


def irqsave() -> _IrqsOff:
    """``with rb.irqsave():`` has interrupts off, and puts them back as they were."""
    return _IrqsOff()


def smp_mb() -> None:
    """Everything the calling thread wrote is visible before it goes on (Xen: smp_mb)."""
    if current is not None:
        current.fence()


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
    if current is None:
        raise CheckFailed(rule, message)
    current.check_failed(rule, message)
