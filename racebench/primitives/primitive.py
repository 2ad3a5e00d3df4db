"""What every primitive is: a small state machine over a runtime of a few calls.

The machine says whether a thread can do now what it is about to (``ready_for``),
does it (the *effects*), and says whom a thread waits for (``owners_for``).  It
never waits, and its caller sees to it that nobody else is in it.  ``me`` is the
runtime's record of a thread: what it is about to do is ``me.op``.

The runtime orders and waits: ``_step``, ``_block``, ``_misuse``.  As written here
it is that outside a run; an engine's own class for a primitive has its own in their
place, by a base that comes before this one (``instrument.derived``).  So a new
primitive is one subclass of this, and each engine knows it.
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
"""(thread, argument) -> what the operation returns; changes the machine."""


def insiders(*threads: Any) -> list[Any]:
    """Those of ``threads`` that are of the run: nobody is told to wait for another."""
    return [one for one in threads if not isinstance(one, runtime.Outsider)]


def either(me: Any, possible: bool) -> bool:
    """For what is always possible: if ``me`` may time out, say whether it would now; True."""
    op = me.op
    if op.other is not None and possible is (op.kind is Kind.TIMEOUT):
        me.op = op.other
    return True


class Primitive(Instrumented):
    """Chooses the runtime's class and names the object."""

    _rb_serial = ""
    kind = "lock"
    unnamed = False
    """Whether it was given no name: then it is called after the attribute that holds it, or its kind."""

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
        """What it is called that was given no name."""
        self.unnamed = True
        return attribute_of(self) or self.kind

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

    # -- the machine

    def ready_for(self, me: Any) -> bool:
        """Whether ``me`` can do now what it is about to; always, but for what waits."""
        return True

    def owners_for(self, me: Any) -> Iterable[Any]:
        """Whom ``me``, which cannot go on, waits for; nobody in particular, but for what is owned."""
        return ()

    def enlist(self, me: Any) -> None:
        """``me`` begins to wait."""

    def quit(self, me: Any, _: None = None) -> None:
        """``me``, which has begun to wait, gives up."""

    def may_expire(self) -> bool:
        """Whether a wait whose time is over can end now."""
        return True

    def expire(self, me: Any, _: Any = None) -> Any:
        """The wait of ``me`` ends by its timeout: an effect in the place of what it waited for."""
        return False

    # -- the runtime outside a run

    _monitor: ClassVar[threading.Condition] = threading.Condition(threading.Lock())
    """Orders all that is done to primitives outside a run, mutexes excepted, and wakes who waits there."""

    def _step(self, op: Op, effect: Effect, arg: Any = None) -> Any:
        """Make the step ``op``, which is always possible; returns what ``effect`` does."""
        with self._monitor:
            result = effect(runtime.here.me, arg)
            self._monitor.notify_all()
        return result

    def _block(
        self, op: Op, effect: Effect, arg: Any = None, ask: Op | None = None, timeout: float | None = None
    ) -> Any:
        """Wait until ``op`` is possible, and make that step; returns what ``effect`` does.

        ``ask``, if all can see who waits: the step that decides whether to.
        After ``timeout`` seconds, if given, ``expire`` takes the place of ``effect``.
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
                        # Past its time it waits for who keeps it from ending.
                        self._monitor.wait(left if left is None or left > 0 else None)
                except BaseException:
                    # Others may have waited behind us.
                    self.quit(me)
                    self._monitor.notify_all()
                    raise
            result = effect(me, arg)
            self._monitor.notify_all()
        return result

    def _misuse(self, me: Any) -> NoReturn:
        """``me`` gives up what it does not hold: nothing changes."""
        raise RuntimeError(f"{self.name}: released by a thread that does not hold it")
