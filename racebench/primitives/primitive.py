"""The base of all primitives: a small state machine over a runtime of a few calls.

The machine says whether a thread can do its next operation now (``ready_for``),
does it (the *effects*), and says for whom a thread waits (``owners_for``).  It
never waits, and its caller makes sure that no other thread is in it.  ``me`` is the
runtime's record of a thread; ``me.op`` is the thread's next operation.

The runtime orders and waits: ``_step``, ``_block``, ``_misuse``.  As written here
they are the runtime outside a run; an engine's own class for a primitive overrides
them by a base that comes before this one (``instrument.derived``).  So a new
primitive is one subclass of this class, and each engine can run it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NoReturn, Self

from ..trace import Kind, Op
from ..values import Instrumented
from . import runtime
from .attribute import attribute_of

Effect = Callable[[Any, Any], Any]
"""(thread, argument) -> the operation's result; changes the machine."""


def insiders(*threads: Any) -> list[Any]:
    """Those of ``threads`` that belong to the run; nothing reports a wait for any other thread."""
    return [one for one in threads if not isinstance(one, runtime.Outsider)]


def either(me: Any, possible: bool) -> bool:
    """For an offer that is always possible: set ``me.op`` to the grant or the timeout; return True."""
    op = me.op
    if op.other is not None and possible is (op.kind is Kind.TIMEOUT):
        me.op = op.other
    return True


class Primitive(Instrumented):
    """Chooses the runtime's class and names the object."""

    _rb_serial = ""
    kind = "lock"
    unnamed = False
    """Whether it was given no name; then it is called after the attribute that holds it, or its kind."""

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:
        now = runtime.current
        own: Any = cls if now is None else now.types.get(cls) or now.substitute(cls)
        made: Self = object.__new__(own)
        return made

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        self.cls = cls or self._called()
        self.index = index
        now = runtime.current
        if now is not None and now.numbers:
            now.created(self)

    def _called(self) -> str:
        """The name of an object that was given none."""
        self.unnamed = True
        return attribute_of(self) or self.kind

    @property
    def name(self) -> str:
        """``class`` or ``class[index]``; ``#n`` tells objects of the same name apart."""
        base = self.cls if self.index is None else f"{self.cls}[{self.index}]"
        return f"{base}{self._rb_serial}"

    def label(self) -> str:
        return self.name

    @property
    def made_in_thread(self) -> bool:
        """Under control: whether a thread made it, so that other threads must first learn of it."""
        return self._rb_serial.startswith("@")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        """Whether ``me`` can do its next operation now; always true, except for operations that wait."""
        return True

    def owners_for(self, me: Any) -> Iterable[Any]:
        """The threads for which the blocked thread ``me`` waits; none if the object has no owner."""
        return ()

    def enlist(self, me: Any) -> None:
        """Note that ``me`` begins to wait."""

    def quit(self, me: Any, _: None = None) -> None:
        """Note that ``me`` gives up its wait."""

    def may_expire(self) -> bool:
        """Whether a wait whose time is over can end now."""
        return True

    def expire(self, me: Any, _: Any = None) -> Any:
        """End the wait of ``me`` by its timeout: the effect in place of the operation's own."""
        return False

    # -- the runtime outside a run

    _monitor: ClassVar[threading.Condition] = threading.Condition(threading.Lock())
    """Orders all operations outside a run, except those of mutexes, and wakes the threads that wait."""

    def _step(self, op: Op, effect: Effect, arg: Any = None) -> Any:
        """Make the step ``op``, which is always possible; return the result of ``effect``."""
        with self._monitor:
            result = effect(runtime.here.me, arg)
            self._monitor.notify_all()
        return result

    def _block(
        self, op: Op, effect: Effect, arg: Any = None, ask: Op | None = None, timeout: float | None = None
    ) -> Any:
        """Wait until ``op`` is possible, and make that step; return the result of ``effect``.

        ``ask`` is for primitives whose waiters can be seen: the step that decides whether to wait.
        After ``timeout`` seconds, if given, ``expire`` replaces ``effect``.
        """
        me = runtime.here.me
        until = None if timeout is None else time.monotonic() + timeout
        with self._monitor:
            me.op = op
            if not self.ready_for(me):
                self.enlist(me)
                try:
                    while not self.ready_for(me):
                        left = None if until is None else until - time.monotonic()
                        if left is not None and left <= 0 and self.may_expire():
                            effect = self.expire
                            break
                        # The time is over, but the wait cannot end yet: wait for the thread that prevents it.
                        self._monitor.wait(left if left is None or left > 0 else None)
                except BaseException:
                    # Other threads may wait behind this one.
                    self.quit(me)
                    self._monitor.notify_all()
                    raise
            result = effect(me, arg)
            self._monitor.notify_all()
        return result

    def _misuse(self, me: Any) -> NoReturn:
        """``me`` releases what it does not hold: nothing changes."""
        raise RuntimeError(f"{self.name}: released by a thread that does not hold it")
