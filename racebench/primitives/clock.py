"""Time in a program: a clock that only sleeps and timeouts move.

**A wait with a timeout that is blocked may end by it whenever the scheduler says so**, and
timeouts of several threads come in any order, whatever their lengths.  That is no false
alarm: between any two of its steps, also between calling ``acquire(timeout=1)`` and
beginning to wait, the system may keep a thread from running for as long as it likes.  So
the one with the longer timeout may have begun, and ended, long before the other; a
program that relies on anything else relies on the speed of the machine.  What real time
forbids is forbidden here: nobody times out who could have what it asks for (a free lock
is taken, whatever the timeout), and nobody sees time go back, or less time go by than it
has waited.

For that each timeout moves the clock by its whole length, as though its thread had begun
to wait just then.  The clock does so for all, so a thread that is told of another's time
finds its own no earlier.  Other steps take no time.  What a program that asks for the
time would do on a machine on which they do is not searched, unless it only computes what is
left for a wait: that may time out at once all the same.
"""

from __future__ import annotations

import threading
import time as real

from . import runtime

EPOCH = 1_000_000_000.0
"""What ``time`` says at the beginning of an execution: the same in each."""


def limited(timeout: float) -> float:
    """``timeout`` if one can wait so long; raises what ``threading`` does, if there only once it blocks.

    For all modes alike, and before anything is let go of.
    """
    if timeout != timeout:
        raise ValueError("Invalid value NaN (not a number)")
    if timeout > threading.TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    return timeout


def sleep(seconds: float) -> None:
    """Let the others go on; ValueError if ``seconds`` is negative."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if runtime.current is None:
        real.sleep(seconds)
    else:
        runtime.current.clock.sleep(seconds)


def monotonic() -> float:
    """Seconds since some moment, the same in all threads."""
    return real.monotonic() if runtime.current is None else runtime.current.clock.now()


perf_counter = monotonic


def time() -> float:
    """Seconds since 1970, as it were."""
    return real.time() if runtime.current is None else EPOCH + runtime.current.clock.now()
