"""The code of the most frequent steps of a free run: accesses to fields, and the fast path of mutexes.

It is text, since it begins by finding out which worker the calling thread is, which is best done
differently on different builds (``worker.Here``) and costs too much as a call.  Its globals are the run's
``namespace``: they are looked up faster than the variables of a closure, and where there is no GIL each
access locks a closure's cell, for both threads at once.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import _getframe
from types import CodeType, FunctionType
from typing import Any

from ...primitives.locks import FOREVER
from .orders import note
from .worker import Here, Table

_ME: tuple[str, ...] = ("me = local.worker",)
if Here is Table:
    _ME = ("try:", "    me = workers[get_ident()]", "except KeyError:", "    me = None")


def _me(indent: int) -> str:
    """Return the lines that set ``me`` to the calling thread's worker."""
    return f"\n{' ' * indent}".join(_ME)


STEP = f"""if noisy:
        {_me(8)}
        if me is None:
            outside()
        elif me.fuel > 0:
            me.fuel -= 1
        else:
            jolt(me)"""
"""``FreeRun.step`` inlined: the first lines of a function's body."""

_PATH = f"""
def acquire(self, blocking=True, timeout=FOREVER):
    {_me(4)}
    if me is None:
        return self.taken_outside(blocking, timeout)
    # Compared by identity: that is cheapest, and another -1 has the same result.
    if timeout is not FOREVER:
        return self._timed(me, blocking, timeout)
    if noisy:
        if me.fuel > 0:
            me.fuel -= 1
        else:
            jolt(me)
    held = me.held
    if held and blocking:
        note(me, self)
    if not self._get(False):
        if not blocking:
            return False
        self._wait(me)
    self.owner = me
    frame = _getframe(1)
    held.append((self, frame.f_code, frame.f_lasti))
    return True

def release(self, kind=None, value=None, tb=None):
    {_me(4)}
    if me is None:
        self.given_back_outside()
        return
    if noisy and kind is None and not me.aborted:
        if me.fuel > 0:
            me.fuel -= 1
        else:
            jolt(me)
    held = me.held
    if self.counts or self.owner is not me or not held or held[-1][0] is not self:
        self.drop(me)
        return
    # It does what ``drop`` does, without a call for each part.
    held.pop()
    self.owner = None
    try:
        self._put()
    except RuntimeError:
        self._not_had(me)

def locked(self):
    {STEP}
    return self.real.locked()
"""


def _made() -> dict[str, tuple[CodeType, tuple[Any, ...] | None]]:
    """Return the code of each function, and the default values of its arguments."""
    made: dict[str, Any] = {"FOREVER": FOREVER}
    exec(compile(_PATH, "<racebench mutex>", "exec"), made)
    # Copies: without a GIL, references to code are counted if it was compiled after a thread was started.
    return {
        name: (made[name].__code__.replace(), made[name].__defaults__)
        for name in ("acquire", "release", "locked")
    }


_CODE = _made()


def mutex_path(namespace: dict[str, Any]) -> dict[str, Callable[..., Any]]:
    """Return the methods of the mutexes of the run with this ``namespace``."""
    namespace.update(FOREVER=FOREVER, _getframe=_getframe, note=note)
    get, put, test = (
        FunctionType(code, namespace, name, defaults) for name, (code, defaults) in _CODE.items()
    )
    return {"acquire": get, "__enter__": get, "release": put, "__exit__": put, "locked": test}
