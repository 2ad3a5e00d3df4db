"""The engines: run a Program freely, under control, or along a recording."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .places import place, spread
from .progress import Progress, ProgressCall
from .thread_dump import dump_threads, where_main_is

if TYPE_CHECKING:
    from .blind_spots import judged
    from .delays import only_controlled
    from .explain.answers import explore, reproduce, verify
    from .explain.replay import replay
    from .explain.suspicion import overlooked, suspected
    from .free.stress import stress
    from .osthreads import STALL_S
    from .search.glance import glance
    from .search.loop import Plan
    from .strategies import STRATEGIES

_HOMES = {
    "STALL_S": "osthreads",
    "STRATEGIES": "strategies",
    "Plan": "search.loop",
    "explore": "explain.answers",
    "glance": "search.glance",
    "judged": "blind_spots",
    "only_controlled": "delays",
    "overlooked": "explain.suspicion",
    "replay": "explain.replay",
    "reproduce": "explain.answers",
    "stress": "free.stress",
    "suspected": "explain.suspicion",
    "verify": "explain.answers",
}


def __getattr__(name: str) -> Any:
    """Import what runs programs on first use: a process that only watches or shows results needs none."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "STALL_S",
    "STRATEGIES",
    "Plan",
    "Progress",
    "ProgressCall",
    "dump_threads",
    "explore",
    "glance",
    "judged",
    "only_controlled",
    "overlooked",
    "place",
    "replay",
    "reproduce",
    "spread",
    "stress",
    "suspected",
    "verify",
    "where_main_is",
]
