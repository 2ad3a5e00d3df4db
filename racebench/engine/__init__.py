"""The engines: run a Program freely, under control, or along a recording."""

from typing import TYPE_CHECKING, Any

from .delays import only_controlled
from .explain.answers import explore, reproduce, verify
from .explain.replay import replay
from .explain.suspicion import overlooked, suspected
from .osthreads import STALL_S, place, spread
from .progress import Progress, ProgressCall
from .search.glance import glance
from .search.loop import Plan
from .standing import standing, where_main_is
from .strategies import STRATEGIES
from .unseen import judged

if TYPE_CHECKING:
    from .free.stress import stress


def __getattr__(name: str) -> Any:
    """The free run, on first use: a proof, and whoever only shows what was found, does without it."""
    if name != "stress":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .free.stress import stress as value

    globals()[name] = value
    return value


__all__ = [
    "STALL_S",
    "STRATEGIES",
    "Plan",
    "Progress",
    "ProgressCall",
    "explore",
    "glance",
    "judged",
    "only_controlled",
    "overlooked",
    "place",
    "replay",
    "reproduce",
    "spread",
    "standing",
    "stress",
    "suspected",
    "verify",
    "where_main_is",
]
