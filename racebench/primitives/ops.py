"""The operations of primitives: what a thread offers to do next, and what a step is called."""

from __future__ import annotations

from ..trace import Kind, Op

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
WAIT_UNTIL = Op(Kind.WAIT_UNTIL)
IRQS_OFF = Op(Kind.IRQS_OFF)
IRQS_ON = Op(Kind.IRQS_ON)
INTERRUPT = Op(Kind.INTERRUPT)
RETURN = Op(Kind.RETURN)
FENCE = Op(Kind.FENCE)
SUSPENDED = Op(Kind.INTERRUPT)
"""A thread whose processor is in an interrupt; never executed."""

GIVES = frozenset((RELEASE, RELEASE_READ, RELEASE_WRITE, NOTIFY, NOTIFY_ALL, UP))
"""What a thread may do while it unwinds, and what then does nothing."""
