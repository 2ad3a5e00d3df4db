"""Waiting at a lock that is let go of before long.

A thread that parks goes on some 10 us after the lock is free for it, one that looks after less
than half a us; and what threads of a free run wait for comes soon: the other one has a few steps
to go.  So where they really run side by side, and each has a CPU, they look before they park.
A look is a try at the lock itself, which is still all that orders who lets go before who goes on.
Where they do not, the looks would take the CPU from whom they wait for.
"""

from __future__ import annotations

import os
import threading
from itertools import repeat

from ...records.encoding import has_gil

_LOOKS = 300
"""About 30 us."""


def looks(threads: int) -> int:
    """How often each of so many ``threads`` looks before it parks."""
    return _LOOKS if not has_gil() and cpus() >= threads else 0


def cpus() -> int:
    """On how many CPUs this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def passed(gate: threading.Lock, looks: int, timeout: float = -1) -> bool:
    """Take ``gate``, after so many looks parked; False if it was not free for ``timeout`` seconds of that."""
    for _ in repeat(None, looks):
        if gate.acquire(False):
            return True
    return gate.acquire(timeout=timeout)
