"""The operations of primitives: a thread offers one as its next step, and the step is named after it."""

from __future__ import annotations

import functools

from ..trace import Kind, Op


def _timed(op: Op, granted: Kind, does: Kind) -> Op:
    """Make and return the timeout of ``op``; ``op.timed`` is the offer with a timeout, always possible.

    Whether the step is then the grant or the timeout depends on the object at that moment.
    """
    offer, late = Op(granted), Op(Kind.TIMEOUT)
    if does is not Kind.TIMEOUT:
        offer.does = does
    op.timed, offer.other, late.other = offer, late, offer
    late.does = does
    late.writes = late.conflicts = does is not Kind.TIMEOUT
    return late


ACQUIRE = Op(Kind.ACQUIRE)
TRY_ACQUIRE = Op(Kind.TRY_ACQUIRE)
RELEASE = Op(Kind.RELEASE)
LOCKED = Op(Kind.LOCKED)
ACQUIRE_READ = Op(Kind.ACQUIRE_READ)
RELEASE_READ = Op(Kind.RELEASE_READ)
ACQUIRE_WRITE = Op(Kind.ACQUIRE_WRITE)
RELEASE_WRITE = Op(Kind.RELEASE_WRITE)
ASK_READ = Op(Kind.ACQUIRE_READ)
ASK_WRITE = Op(Kind.ACQUIRE_WRITE)
"""Ask a fair lock, and get it at once; as an offer always possible."""
REQUEST_READ = Op(Kind.REQUEST_READ)
REQUEST_WRITE = Op(Kind.REQUEST_WRITE)
"""Ask a fair lock, and wait; other threads can see the waiter."""
ENTER_READ = Op(Kind.ACQUIRE_READ)
"""Enter as a reader after such a wait; for a writer this is ACQUIRE_WRITE."""
WAIT = Op(Kind.WAIT)
SLEEP = Op(Kind.WAIT)
"""The offer of a thread inside ``wait`` that was not notified; never executed."""
WAKE = Op(Kind.WAKE)
"""The same offer if the thread may also wake spuriously."""
NOTIFY = Op(Kind.NOTIFY)
NOTIFY_ALL = Op(Kind.NOTIFY_ALL)
DOWN = Op(Kind.DOWN)
TRY_DOWN = Op(Kind.TRY_DOWN)
UP = Op(Kind.UP)
GET = Op(Kind.GET)
TRY_GET = Op(Kind.TRY_GET)
PUT = Op(Kind.PUT)
GET.does, TRY_GET.does, PUT.does = Kind.DOWN, Kind.TRY_DOWN, Kind.UP
ASK_EVENT = Op(Kind.PASS)
"""Ask an event, and continue at once; as an offer always possible."""
AWAIT = Op(Kind.AWAIT)
"""Ask an event, and wait; other threads can see the waiter."""
PASS = Op(Kind.PASS)
SET = Op(Kind.SET)
CLEAR = Op(Kind.CLEAR)
LOOK = Op(Kind.LOOK)
ARRIVE = Op(Kind.ARRIVE)
LEAVE = Op(Kind.LEAVE)
ABORT = Op(Kind.ABORT)
RESET = Op(Kind.RESET)
PEEK = Op(Kind.LOOK)
"""Look at a barrier."""
PEEK.does, PEEK.conflicts = Kind.ARRIVE, True
ACTED = Op(Kind.LEAVE)
FAILED = Op(Kind.ABORT)
"""The steps of the thread that called a barrier's action, after the action; never blocked."""
LOAD = Op(Kind.READ, "value", atomic=True)
SAVE = Op(Kind.WRITE, "value", atomic=True)
UPDATE = Op(Kind.UPDATE, "value", atomic=True)
START = Op(Kind.START)
JOIN = Op(Kind.JOIN)
END = Op(Kind.END)
PAUSE = Op(Kind.PAUSE)
CLOCK = Op(Kind.CLOCK)
WAIT_UNTIL = Op(Kind.WAIT_UNTIL)
IRQS_OFF = Op(Kind.IRQS_OFF)
IRQS_ON = Op(Kind.IRQS_ON)
INTERRUPT = Op(Kind.INTERRUPT)
RETURN = Op(Kind.RETURN)
FENCE = Op(Kind.FENCE)
SUSPENDED = Op(Kind.INTERRUPT)
"""The offer of a thread whose processor runs an interrupt; never executed."""

LATE_ACQUIRE = _timed(ACQUIRE, Kind.TRY_ACQUIRE, Kind.TRY_ACQUIRE)
"""For other threads an acquire that times out is a failed try: it may have begun only now."""
LATE_DOWN = _timed(DOWN, Kind.TRY_DOWN, Kind.TRY_DOWN)
LATE_GET = _timed(GET, Kind.GET, Kind.TRY_DOWN)
LATE_PASS = _timed(PASS, Kind.PASS, Kind.TIMEOUT)
LATE_JOIN = _timed(JOIN, Kind.JOIN, Kind.TIMEOUT)
LATE_LEAVE = _timed(LEAVE, Kind.LEAVE, Kind.LEAVE)
LATE_SLEEP = _timed(SLEEP, Kind.WAIT, Kind.TIMEOUT)
"""Once notified, the thread offers to take the lock instead."""


@functools.cache
def up(n: int) -> Op:
    """An UP that raises the count ``n`` times in one step."""
    op = Op(Kind.UP)
    op.times = n
    return op


GIVES = frozenset(
    op.kind for op in (RELEASE, RELEASE_READ, RELEASE_WRITE, NOTIFY, NOTIFY_ALL, UP, PUT, SET, CLEAR)
)
"""The kinds of operations that do nothing while a thread unwinds."""
