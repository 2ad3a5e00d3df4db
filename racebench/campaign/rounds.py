"""Turn a round of a hammered domain into a scenario of its own, which can be searched and replayed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from ..errors import ScenarioError
from ..findings import Finding
from ..scenario.scenario import Scenario, scenario_from_text
from ..scenario.selection import Target
from ..scenario.text import Heading, scenario_text
from ..scenario.toml import Loader
from ..vgic.drawing import Drawn
from ..vgic.reduction import smallest
from . import modes
from .stop import Stop

_LOOK = 300


def smallest_round(target: Target, finding: Finding, seconds: float, stop: Stop) -> Scenario | None:
    """Reduce the round as long as a short search still finds ``finding``; return it as a scenario.

    None if the search does not find it in the whole round, or the finding has no usable story.
    """
    whole = _drawn(finding.evidence.get("story"))
    if whole is None:
        return None
    deadline = perf_counter() + seconds

    def shows(drawn: Drawn) -> bool:
        if stop.over or perf_counter() > deadline:
            return False
        try:
            program = _scenario(target.scenario, drawn).program(target.choice.code)
        except ScenarioError:
            # No scenario file may state this: a rule is broken before the threads start.
            return False
        return finding.signature in modes.glance(program, _LOOK, wanted=finding.signature).rules

    if not shows(whole):
        return None
    return _scenario(target.scenario, smallest(whole, shows))


def _scenario(whole: Scenario, drawn: Drawn) -> Scenario:
    comment = f"A round of the hammered scenario {whole.name}: what its threads drew, and how it began."
    heading = Heading(f"One round of: {whole.title}", whole.source, [*whole.tags, "round"], comment)
    text = scenario_text(heading, drawn, {"*": ()}, history=True)
    round_ = scenario_from_text(Path(f"{whole.name}.toml"), text)
    return round_._replace(name=whole.name, path=whole.path)


def _drawn(story: Any) -> Drawn | None:
    """Read a stored story.  Anybody may have written it, so it passes the checks of a scenario file."""
    if not isinstance(story, Mapping) or not isinstance(story.get("initial"), Mapping):
        return None
    threads = story.get("threads")
    if not isinstance(threads, Mapping):
        return None
    drew = {name: operations for name, operations in threads.items() if operations}
    data = Loader(Path("round"), {"domain": dict(story["initial"]), "threads": drew})
    try:
        initial = data.initial()
        return Drawn(initial, data.threads(initial))
    except ScenarioError:
        return None
