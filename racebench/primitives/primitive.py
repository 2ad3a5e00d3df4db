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
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NoReturn, Self

from ..trace import Op
from ..values import Instrumented
from . import runtime

Effect = Callable[[Any, Any], Any]
"""(thread, argument) -> what the operation returns; changes the machine."""


def insiders(*threads: Any) -> list[Any]:
    """Those of ``threads`` that are of the run: nobody is told to wait for another."""
    return [one for one in threads if not isinstance(one, runtime.Outsider)]


class Primitive(Instrumented):
    """Chooses the runtime's class and names the object."""

    _rb_serial = ""
    kind = "lock"

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:
        now = runtime.current
        own: Any = cls if now is None else now.types.get(cls) or now.substitute(cls)
        made: Self = object.__new__(own)
        return made

    def __init__(self, cls: str | None = None, index: int | str | None = None) -> None:
        self.cls = cls or self.kind
        self.index = index
        now = runtime.current
        if now is not None and now.numbers:
            now.created(self)

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

    def join(self, me: Any) -> None:
        """``me`` begins to wait."""

    def quit(self, me: Any, _: None = None) -> None:
        """``me``, which has begun to wait, gives up."""

    # -- the runtime outside a run

    _monitor: ClassVar[threading.Condition] = threading.Condition(threading.Lock())
    """Orders all that is done to primitives outside a run, mutexes excepted, and wakes who waits there."""

    def _step(self, op: Op, effect: Effect, arg: Any = None) -> Any:
        """Make the step ``op``, which is always possible; returns what ``effect`` does."""
        with self._monitor:
            result = effect(runtime.here.me, arg)
            self._monitor.notify_all()
        return result

    def _block(self, op: Op, effect: Effect, arg: Any = None, ask: Op | None = None) -> Any:
        """Wait until ``op`` is possible, and make that step; returns what ``effect`` does.

        ``ask``, if all can see who waits: the step that decides whether to.
        """
        me = runtime.here.me
        with self._monitor:
            me.op = op
            if not self.ready_for(me):
                self.join(me)
                try:
                    while not self.ready_for(me):
                        self._monitor.wait()
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
