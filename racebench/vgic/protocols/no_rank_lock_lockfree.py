"""RFC 01/10 and 43208a9cb4 together.

Lock order: rank -> vcpu, rank -> desc (enable, disable), desc -> vcpu
(do_IRQ).  desc is never held when the rank lock is taken: no order is
inverted, and nothing orders two routes of one vIRQ.
"""

from __future__ import annotations

from .lockfree_priority import LockfreePriority
from .no_rank_lock import NoRankLock


class NoRankLockLockfree(NoRankLock, LockfreePriority):
    """Routing under desc.lock alone; priority read without a lock."""

    ID = "no_rank_lock_lockfree"
    SUMMARY = "RFC 01/10 and 43208a9cb4 together"
    PHRASE = "without the rank lock, and with a lock-free priority"
