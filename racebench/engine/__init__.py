"""The engines: run a Program freely, under control, or along a recording."""

from .citing import sources_of
from .exploring import Progress, ProgressCall, explore
from .free import stress
from .glancing import glance
from .osthreads import STALL_S, spread
from .replaying import replay
from .reproducing import reproduce
from .strategies import STRATEGIES
from .suspecting import suspected
from .verifying import verify

__all__ = [
    "STALL_S",
    "STRATEGIES",
    "Progress",
    "ProgressCall",
    "explore",
    "glance",
    "replay",
    "reproduce",
    "sources_of",
    "spread",
    "stress",
    "suspected",
    "verify",
]
