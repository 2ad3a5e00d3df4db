"""The clock of a free run: timeouts are short in real time, and by this clock as long as the program says.

A timeout of any length ends after a few milliseconds, a longer one later than a shorter one; but one in
four ends at once, since an awaited event seldom takes that long.  See ``primitives.clock`` for why that
is no false alarm.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable

from ...errors import ThreadAbort

_UNIT_S = 1e-4
_AT_ONCE = 0.25


def shortened(seconds: float) -> float:
    """Return how long a timeout of ``seconds`` really takes: longer for a longer one, but never long."""
    return _UNIT_S * math.log2(1 + seconds / _UNIT_S) if seconds > 0 else 0.0


def patience(seconds: float, rng: random.Random) -> float:
    """Return how long a blocked thread with a timeout of ``seconds`` really waits."""
    return 0.0 if rng.random() < _AT_ONCE else shortened(seconds)


class Clock:
    """Real time plus the time that sleeps and timeouts have skipped; ``_mutex`` orders the additions.

    ``dismissed`` returns whether the caller is a daemon for which no other thread waits any more.
    """

    def __init__(self, dismissed: Callable[[], bool]) -> None:
        self._dismissed = dismissed
        self._mutex = threading.Lock()
        self._skipped = 0.0

    def now(self) -> float:
        return time.monotonic() + self._skipped

    def passed(self, seconds: float) -> None:
        """Add ``seconds``: a wait of that length is over."""
        with self._mutex:
            self._skipped += max(0.0, seconds)

    def sleep(self, seconds: float) -> None:
        time.sleep(shortened(seconds))
        self.passed(seconds)
        if self._dismissed():
            # A daemon that sleeps again and again does not keep the process from ending.
            raise ThreadAbort
