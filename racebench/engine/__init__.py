"""The engines: run a Program freely, under control, or along a recording."""

from .control.suspicion import overlooked, suspected
from .explain.replay import replay
from .explain.reproduction import reproduce
from .free.run import stress
from .osthreads import STALL_S, spread
from .search.exploration import Progress, ProgressCall, explore
from .search.glance import glance
from .search.verification import verify
from .standing import standing, where_main_is
from .strategies import STRATEGIES
from .unseen import judged

__all__ = [
    "STALL_S",
    "STRATEGIES",
    "Progress",
    "ProgressCall",
    "explore",
    "glance",
    "judged",
    "overlooked",
    "replay",
    "reproduce",
    "spread",
    "standing",
    "stress",
    "suspected",
    "verify",
    "where_main_is",
]
