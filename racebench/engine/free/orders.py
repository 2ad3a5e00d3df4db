"""The orders in which threads of the free run nest locks: the input of the lock-order detector.

Only a worker writes its ``chains``; the coordinator reads them between batches.
"""

from __future__ import annotations

from typing import Any

from ...trace import NOTHING, LockEdge
from ..instrument import site_of
from ..osthreads import caller_site
from .worker import Worker


def note(me: Worker, lock: Any, mode: bool = True, again: bool = False) -> None:
    """Note that ``me``, which holds other locks, is about to take ``lock``; each such chain is kept once.

    The writers of a fair read-write lock are noted with no lock held too, since they hold readers back;
    ``again``: a reader has the lock already.
    """
    if me.lent:
        me.lent = False
        me.held[:] = [entry for entry in me.held if getattr(entry[0], "strict", True) or entry[0].owner is me]
        if not me.held and not getattr(lock, "fair", False):
            return
    held = me.held
    if len(held) == 1:
        outer = held[0][0]
        key: Any = (outer.cls, outer.index, lock.cls, lock.index, mode)
    else:
        key = (*[(outer.cls, outer.index) for outer, _, _ in held], lock.cls, lock.index, mode)
    if again:
        key = (*key, again)
    if key not in me.chains:
        me.chains[key] = _chain(me, lock, mode)


def _chain(me: Worker, lock: Any, mode: bool) -> list[LockEdge]:
    """Return the edges from each lock that ``me`` holds to ``lock``.

    Locks of one class without an index cannot be told apart here: no edge.
    """
    held = [(outer, getattr(outer, "writer", me) is me, site_of(c, i)) for outer, c, i in me.held]
    others = frozenset((outer.name, how) for outer, how, _ in held)
    wanted, here = (lock.cls, lock.name), str(caller_site())
    fair = getattr(lock, "fair", False)
    edges = [
        LockEdge(me.name, (outer.cls, outer.name), wanted, others, how, mode, -1, -1, str(site), here, fair)
        for outer, how, site in held
        if outer.name != lock.name or (outer is lock and fair and not mode and not how)
    ]
    if fair and mode and not held:
        edges.append(LockEdge(me.name, NOTHING, wanted, others, True, True, -1, -1, "", here, fair))
    return edges
