"""The operations of primitives: what a thread offers to do next, and what a step is called."""

from __future__ import annotations

import functools

from ..trace import Kind, Op


def _timed(op: Op, granted: Kind, does: Kind) -> Op:
    """What ``op`` times out as; its offer with a timeout is ``op.timed``, always possible.

    Which of the two that is, granted or too late, depends on the object when it comes.
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
"""To ask a fair lock, and be let in at once; always possible, as an offer."""
REQUEST_READ = Op(Kind.REQUEST_READ)
REQUEST_WRITE = Op(Kind.REQUEST_WRITE)
"""To ask a fair lock, and wait where all can see it."""
ENTER_READ = Op(Kind.ACQUIRE_READ)
"""To be let in after such a wait, as a reader; for a writer that is ACQUIRE_WRITE."""
WAIT = Op(Kind.WAIT)
SLEEP = Op(Kind.WAIT)
"""A thread inside ``wait`` that nobody has notified; never executed."""
WAKE = Op(Kind.WAKE)
"""The same where it may also wake unasked."""
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
"""To ask an event, and go on at once; always possible, as an offer."""
AWAIT = Op(Kind.AWAIT)
"""To ask an event, and wait where all can see it."""
PASS = Op(Kind.PASS)
SET = Op(Kind.SET)
CLEAR = Op(Kind.CLEAR)
LOOK = Op(Kind.LOOK)
ARRIVE = Op(Kind.ARRIVE)
LEAVE = Op(Kind.LEAVE)
ABORT = Op(Kind.ABORT)
RESET = Op(Kind.RESET)
PEEK = Op(Kind.LOOK)
"""To look at a barrier."""
PEEK.does, PEEK.conflicts = Kind.ARRIVE, True
ACTED = Op(Kind.LEAVE)
FAILED = Op(Kind.ABORT)
"""What the thread that called a barrier's action does after it: nothing keeps it from that."""
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
"""A thread whose processor is in an interrupt; never executed."""

LATE_ACQUIRE = _timed(ACQUIRE, Kind.TRY_ACQUIRE, Kind.TRY_ACQUIRE)
"""A take that times out is to everybody a try that fails: it may as well have come only now."""
LATE_DOWN = _timed(DOWN, Kind.TRY_DOWN, Kind.TRY_DOWN)
LATE_GET = _timed(GET, Kind.GET, Kind.TRY_DOWN)
LATE_PASS = _timed(PASS, Kind.PASS, Kind.TIMEOUT)
LATE_JOIN = _timed(JOIN, Kind.JOIN, Kind.TIMEOUT)
LATE_LEAVE = _timed(LEAVE, Kind.LEAVE, Kind.LEAVE)
LATE_SLEEP = _timed(SLEEP, Kind.WAIT, Kind.TIMEOUT)
"""Once notified, its thread offers to take the lock."""


@functools.cache
def up(n: int) -> Op:
    """UP so many times in one."""
    op = Op(Kind.UP)
    op.times = n
    return op


GIVES = frozenset(
    op.kind for op in (RELEASE, RELEASE_READ, RELEASE_WRITE, NOTIFY, NOTIFY_ALL, UP, PUT, SET, CLEAR)
)
"""The kinds of what a thread may do while it unwinds, and what then does nothing."""
