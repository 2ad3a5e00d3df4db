"""What an engine has to say of the schedules and steps that it could not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..findings import Result, Verdict

NOTHING = (
    "no thread touched a shared field or a lock, so there was nothing to look at. "
    "Declare fields with racebench.shared in a State, and make the state inside setup."
)


class Unseen:
    """Sentences that each keep an answer from being whole; each once, in the order in which they came."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def say(self, sentence: str) -> None:
        self._said[sentence] = None

    def sentences(self) -> Sequence[str]:
        return tuple(self._said)


def judged(result: Result, unseen: Unseen) -> Result:
    """``result``, or UNKNOWN in the place of CLEAN and never complete if something was not seen."""
    sentences = unseen.sentences()
    if not sentences:
        return result
    verdict = Verdict.UNKNOWN if result.verdict is Verdict.CLEAN else result.verdict
    stats = {**result.stats, "unseen": list(sentences)}
    return replace(result, verdict=verdict, complete=False, stats=stats)
