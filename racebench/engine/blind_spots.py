"""What a run could not see, in sentences, and how that lowers its answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..findings import Result, Verdict

NOTHING = (
    "no thread touched a shared field or a lock, so there was nothing to look at: "
    "declare fields with racebench.shared in a State, and make the state inside setup"
)


def outlives(what: str) -> str:
    """The sentence about ``what``, which was made in an earlier execution and is used in a later one."""
    return (
        f"{what} outlives an execution, and what it keeps is not put back for the next one: make it in setup"
    )


class BlindSpots:
    """Keeps the sentences of one run, and which thread touched what in the present execution.

    Any thread may call ``say``: it is one assignment to a dict.
    """

    def __init__(self) -> None:
        self._said: dict[str, None] = {}
        self._by: dict[Any, tuple[Any, set[int]]] = {}

    def say(self, sentence: str) -> None:
        """Add ``sentence``, the reason why the run is no proof; without a full stop."""
        self._said[sentence] = None

    def sentences(self) -> list[str]:
        return sorted(self._said)

    @property
    def anything(self) -> bool:
        """Whether there is a sentence."""
        return bool(self._said)

    def begin(self) -> None:
        """Start an execution: no thread has touched anything."""
        self._by.clear()

    def touched(self, who: int, obj: Any, field: str, what: Iterable[Any]) -> bool:
        """Note that thread ``who`` got the objects ``what`` from ``field`` of ``obj``.

        Return whether another thread got one of them, or used that field.  An object in two fields counts as
        one.
        """
        shared = False
        for key, kept in ((id(obj), field), obj), *((id(one), one) for one in what):
            # The object stays alive while it is kept here, so no other one gets its id.
            _, by = self._by.setdefault(key, (kept, set()))
            by.add(who)
            shared = shared or len(by) > 1
        return shared


def judged(result: Result, *blind_spots: Iterable[str]) -> Result:
    """Return ``result`` lowered by its ``blind_spots``: findings stay, nothing is proved."""
    sentences = tuple(sorted({sentence for some in blind_spots for sentence in some}))
    stats = {**result.stats, "unseen": sentences}
    if not sentences:
        return replace(result, stats=stats)
    for claim in ("preemption_bound", "proved"):
        if claim in stats:
            stats[claim] = None
    verdict = Verdict.UNKNOWN if result.verdict is Verdict.CLEAN else result.verdict
    return replace(result, verdict=verdict, complete=False, stats=stats)
