"""Time in a program: a clock that only sleeps and timeouts advance.

**A blocked wait with a timeout may time out whenever the scheduler says so**, and
timeouts of several threads come in any order, whatever their lengths.  That is no false
alarm: between any two steps of a thread, also between the call of ``acquire(timeout=1)``
and the beginning of its wait, the system may keep the thread from running for as long as
it likes.  So the one with the longer timeout may have begun, and ended, long before the
other; a program that relies on anything else relies on the speed of the machine.  What is
impossible in real time is impossible here: no thread times out that could have what it
asks for (a free lock is taken, whatever the timeout), and no thread sees time go back, or
less time pass than it has waited.

For that each timeout advances the clock by its whole length, as though its thread had
begun to wait just then.  There is one clock for all threads, so a thread that is told
another's time finds its own no earlier.  Other steps take no time.  What a program that
asks for the time would do if other steps took time is not searched, unless it only
computes the time that is left for a wait: that wait may time out at once all the same.
"""

from __future__ import annotations

import threading
import time as real

from . import runtime

EPOCH = 1_000_000_000.0
"""The value of ``time`` at the beginning of every execution."""


def limited(timeout: float) -> float:
    """Return ``timeout``, or raise what ``threading`` raises for it, which does so only when it blocks.

    The same check in all modes, before any lock is released.
    """
    if timeout != timeout:
        raise ValueError("Invalid value NaN (not a number)")
    if timeout > threading.TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")
    return timeout


def sleep(seconds: float) -> None:
    """Let other threads run; ValueError if ``seconds`` is negative."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if runtime.current is None:
        real.sleep(seconds)
    else:
        runtime.current.clock.sleep(seconds)


def monotonic() -> float:
    """Seconds since some moment, which is the same for all threads."""
    return real.monotonic() if runtime.current is None else runtime.current.clock.now()


perf_counter = monotonic


def time() -> float:
    """Seconds since 1970; in a run a simulated time."""
    return real.time() if runtime.current is None else EPOCH + runtime.current.clock.now()
