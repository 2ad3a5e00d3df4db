"""How many collisions a free-running batch has."""

from __future__ import annotations

# A batch's states are walked by setup, by each thread and by the check: they
# had better all stay in the processor's cache.
LEAST, LARGEST, _BATCH_S = 32, 512, 0.003

# Budget and progress are looked at between batches: a slow program gets less than LEAST.
_LONGEST_S = 0.1


class Batches:
    """The size of the next batch under each setting, from what the ones before took.

    The very first collision is a batch of its own, and says how slow the
    program is.  Used by the coordinator alone.
    """

    def __init__(self, settings: int) -> None:
        self._sizes = [1] * settings
        self._measured = False

    def next(self, at: int) -> int:
        """Collisions in the next batch under setting ``at``."""
        return self._sizes[at]

    def took(self, at: int, size: int, seconds: float) -> None:
        """A batch of ``size`` collisions under setting ``at`` took ``seconds``, which is above 0."""
        least = max(1, min(LEAST, int(size * _LONGEST_S / seconds)))
        if not self._measured:
            self._measured = True
            self._sizes = [least] * len(self._sizes)
        wanted = int(size * _BATCH_S / seconds) + 1
        self._sizes[at] = max(least, min(LARGEST, wanted, size * 2))
