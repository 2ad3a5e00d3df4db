"""From findings of the free run to the same under control: one search for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...findings import Finding
from ...program import Program
from ..delays import actors
from ..garbage import leaves_nothing
from ..search.evidence import Detect, nothing
from ..search.exploration import Exploration, ProgressCall
from ..search.tally import Seen
from ..strategies.portfolio import Portfolio


@leaves_nothing
def reproduce(
    program: Program,
    wanted: Sequence[Finding],
    seconds: float = 5.0,
    seed: int = 0,
    *,
    progress: ProgressCall | None = None,
    detect: Detect = nothing,
) -> dict[str, Finding]:
    """Search under control for all of ``wanted`` at once; what came again, by the signature wanted.

    The same signature is preferred; when the budget is over, another finding
    of the same rule will do, and goes by the signature that was wanted.
    """
    search = Reproduction(program, Portfolio(seed, actors(program)), seed, progress, detect)
    search.wanted = wanted
    found = like(wanted, search.go(10**9, seconds, False).findings)
    asked = {finding.signature: finding for finding in wanted}
    return {
        name: replace(met, signature=name, count=asked[name].count, mode=asked[name].mode)
        for name, met in found.items()
    }


class Reproduction(Exploration):
    """An exploration that ends once all that is ``wanted`` is met, and works on nothing else."""

    wanted: Sequence[Finding] = ()

    def _enough(self, stop_on_first: bool) -> bool:
        return all(finding.signature in self.tally.seen for finding in self.wanted)

    def _worked_on(self) -> list[Seen]:
        met = like(self.wanted, self.tally.told())
        return list({seen.signature: seen for seen in met.values()}.values())


def like(wanted: Sequence[Finding], met: Sequence[Any]) -> dict[str, Any]:
    """By each signature ``wanted``, that of ``met`` which has it, or else one of the same rule.

    One that is wanted itself stands for no other.
    """
    by_name = {one.signature: one for one in met}
    names = {finding.signature for finding in wanted}
    others = {one.rule: one for one in reversed(met) if one.signature not in names}
    both = {f.signature: by_name.get(f.signature) or others.get(f.rule) for f in wanted}
    return {name: one for name, one in both.items() if one is not None}
