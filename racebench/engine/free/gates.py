"""Waiting at a lock that is released soon.

A thread that parks goes on about 10 us after the lock is free, a thread that polls after less than half
a us; and what threads of a free run wait for comes soon: the other thread has a few steps to go.  So
where the threads really run in parallel, and each has a CPU, they poll before they park.  A poll is a try
at the lock itself, which still is all that orders the release before the acquire.  Where they do not run
in parallel, polling would take the CPU from the thread that they wait for.
"""

from __future__ import annotations

import os
import threading
from itertools import repeat

from ...records.encoding import has_gil

_LOOKS = 1_000
"""About 100 us: parked, a thread needs as long to go on if its CPU has gone to sleep meanwhile."""


def looks(threads: int) -> int:
    """Return how often each of ``threads`` threads polls before it parks."""
    return _LOOKS if not has_gil() and cpus() >= threads else 0


def cpus() -> int:
    """Return on how many CPUs this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def passed(gate: threading.Lock, looks: int, timeout: float = -1) -> bool:
    """Take ``gate``: try ``looks`` times, then park; False after ``timeout`` seconds of parking in vain."""
    for _ in repeat(None, looks):
        if gate.acquire(False):
            return True
    return gate.acquire(timeout=timeout)
