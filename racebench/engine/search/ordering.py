"""Whether accesses that no step announces are ordered by the steps all the same, in every schedule.

All schedules are searched and traced, and in each execution all uses of a place are compared with the
order of the steps: if of any two by different threads, one of which writes, one happens before the
other, the place is harmless.  ``control.plain_accesses`` says why that is enough, and what counts as a
use.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from ...errors import ProgramError
from ...trace import Kind
from ..control.pictures import Place
from ..control.plain_accesses import Use
from ..control.scheduler import Scheduler
from .dpor import Search
from .races import PartialOrder
from .relation import Relation

_TIMES = 2
"""Python 3.13 may trace no instruction in the first call of a function that is traced."""


class _Span(NamedTuple):
    """One use: its thread, and the steps between which it surely is; -1 where there is none."""

    proc: int
    after: int
    before: int
    writes: bool


def ordered(scheduler: Scheduler, relation: Relation, most: int) -> set[Place]:
    """Return the harmless places; none if the search takes over ``most`` executions, or finds a fault.

    Tracing makes each execution cost much more than usual.
    """
    lookout = scheduler.lookout
    # If code has no name for a place, it is unknown which threads use it.
    left = {place for place in lookout.changing if place.certain and place.names}
    if not left:
        return left
    # A place that a lock guards needs no search.
    seen = lookout.trace()
    left = {place for place in left if seen.sentences({place})}
    try:
        return _searched(scheduler, relation, most, left)
    except ProgramError:
        # The program does not do the same twice, perhaps because of what it uses unseen.
        return set()


def _searched(scheduler: Scheduler, relation: Relation, most: int, left: set[Place]) -> set[Place]:
    """Return those of the places ``left`` whose uses each execution orders."""
    lookout = scheduler.lookout
    stored: set[str] = set()
    for _ in range(_TIMES):
        search = Search(scheduler, relation)
        with lookout.traced() as uses:
            going_on = bool(left)
            while going_on:
                outcome = search.execute()
                if outcome is not None:
                    if outcome.faults:
                        return set()
                    order = search.partial_order
                    spans = _spans(uses.latest, order)
                    left = {place for place in left if _has_one_order(place, spans, order)}
                going_on = bool(left) and search.advance()
                if not scheduler.fit or (going_on and search.executions + search.redundant >= most):
                    return set()
            stored |= uses.stored
    # A place that changed without a traced store was changed in a way that tracing does not show.
    return {place for place in left if place.loose or place.names & stored}


def _spans(uses: set[Use], partial_order: PartialOrder) -> dict[str, set[_Span]]:
    """Return by name all uses in one execution."""
    steps: dict[int, list[int]] = {}
    for i, event in enumerate(partial_order.events):
        steps.setdefault(event.proc, []).append(i)
    spans: dict[str, set[_Span]] = {}
    for use in uses:
        own = steps.get(use.proc, [])
        after = max((i for i in own if i < use.at), default=partial_order.started(use.proc))
        before = min((i for i in own if i >= use.at), default=-1)
        if use.kept:
            # The thread may use it again as long as it runs.
            before = own[-1] if own and partial_order.events[own[-1]].kind is Kind.END else -1
        spans.setdefault(use.name, set()).add(_Span(use.proc, after, before, use.writes))
    return spans


def _has_one_order(place: Place, spans: dict[str, set[_Span]], partial_order: PartialOrder) -> bool:
    uses: Sequence[_Span] = [span for name in place.names for span in spans.get(name, ())]
    return all(
        one.proc == other.proc
        or not (one.writes or other.writes)
        or _comes_first(one, other, partial_order)
        or _comes_first(other, one, partial_order)
        for one, other in combinations(uses, 2)
    )


def _comes_first(one: _Span, other: _Span, partial_order: PartialOrder) -> bool:
    return one.before >= 0 and other.after >= 0 and partial_order.after(one.before, other.after)
