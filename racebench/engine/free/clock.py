"""The clock of a free run: timeouts are short in real time, and as long as the program says by this clock.

A timeout of any length ends after a few milliseconds, a longer one later than a shorter one;
but one in four comes at once, since what is waited for seldom takes that long.  See
``primitives.clock`` for why that is no false alarm.
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
    """How long such a timeout really takes: longer for a longer one, but never long."""
    return _UNIT_S * math.log2(1 + seconds / _UNIT_S) if seconds > 0 else 0.0


def patience(seconds: float, rng: random.Random) -> float:
    """How long one who is blocked, and has so much time, really waits."""
    return 0.0 if rng.random() < _AT_ONCE else shortened(seconds)


class Clock:
    """Real time, and what sleeps and timeouts have skipped of it; ``_mutex`` orders who skips some.

    ``dismissed`` says whether the caller is a daemon for whom nobody waits any more.
    """

    def __init__(self, dismissed: Callable[[], bool]) -> None:
        self._dismissed = dismissed
        self._mutex = threading.Lock()
        self._skipped = 0.0

    def now(self) -> float:
        return time.monotonic() + self._skipped

    def passed(self, seconds: float) -> None:
        """A wait of so many ``seconds`` is over."""
        with self._mutex:
            self._skipped += max(0.0, seconds)

    def sleep(self, seconds: float) -> None:
        time.sleep(shortened(seconds))
        self.passed(seconds)
        if self._dismissed():
            # A daemon that sleeps again and again does not keep the process from ending.
            raise ThreadAbort
