"""Decides how many collisions a free-running batch has."""

from __future__ import annotations

# Setup, each thread and the check go through all states of a batch: the states
# should stay in the processor's cache.
LEAST, LARGEST, _BATCH_S = 32, 512, 0.003

# Budget and progress are checked between batches: a slow program gets fewer collisions than LEAST.
_LONGEST_S = 0.1


class Batches:
    """The size of the next batch under each setting, computed from the time of the earlier batches.

    The very first collision is a batch of its own, and tells how slow the program is.  Used by the
    coordinator alone.
    """

    def __init__(self, settings: int) -> None:
        self._sizes = [1] * settings
        self._measured = False

    def next(self, at: int) -> int:
        """Return the number of collisions in the next batch under setting ``at``."""
        return self._sizes[at]

    def took(self, at: int, size: int, seconds: float) -> None:
        """Note that a batch of ``size`` collisions under setting ``at`` took ``seconds``, more than 0."""
        least = max(1, min(LEAST, int(size * _LONGEST_S / seconds)))
        if not self._measured:
            self._measured = True
            self._sizes = [least] * len(self._sizes)
        wanted = int(size * _BATCH_S / seconds) + 1
        self._sizes[at] = max(least, min(LARGEST, wanted, size * 2))
