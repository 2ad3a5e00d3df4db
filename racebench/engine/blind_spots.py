"""What a run could not see, in sentences, and what that does to its answer."""

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
    """Said of ``what``, which was made in an execution that is over, and is used in another one."""
    return (
        f"{what} outlives an execution, and what it keeps is not put back for the next one: make it in setup"
    )


class BlindSpots:
    """Keeps the sentences of one run, and who touched what in its present execution.

    ``say`` may be called by any thread: one assignment to a dict.
    """

    def __init__(self) -> None:
        self._said: dict[str, None] = {}
        self._by: dict[Any, tuple[Any, set[int]]] = {}

    def say(self, sentence: str) -> None:
        """From now on the run has no proof: ``sentence`` says why, without a full stop."""
        self._said[sentence] = None

    def sentences(self) -> list[str]:
        return sorted(self._said)

    @property
    def anything(self) -> bool:
        """Whether there is a sentence."""
        return bool(self._said)

    def begin(self) -> None:
        """A new execution: nobody has touched anything."""
        self._by.clear()

    def touched(self, who: int, obj: Any, field: str, what: Iterable[Any]) -> bool:
        """Thread ``who`` got at ``what``, which ``field`` of ``obj`` has; whether another did before it.

        One thing that two fields have is one.
        """
        shared = False
        for key, kept in ((id(obj), field), obj), *((id(one), one) for one in what):
            # What is kept here stays alive, so its id is not another's.
            _, by = self._by.setdefault(key, (kept, set()))
            by.add(who)
            shared = shared or len(by) > 1
        return shared


def judged(result: Result, *blind_spots: Iterable[str]) -> Result:
    """``result`` as it is worth with its ``blind_spots``: findings stay, nothing is proved."""
    sentences = tuple(sorted({sentence for some in blind_spots for sentence in some}))
    stats = {**result.stats, "unseen": sentences}
    if not sentences:
        return replace(result, stats=stats)
    for claim in ("preemption_bound", "proved"):
        if claim in stats:
            stats[claim] = None
    verdict = Verdict.UNKNOWN if result.verdict is Verdict.CLEAN else result.verdict
    return replace(result, verdict=verdict, complete=False, stats=stats)
