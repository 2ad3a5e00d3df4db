"""The engines: run a Program freely, under control, or along a recording."""

from .citing import sources_of
from .exploring import Progress, ProgressCall, explore
from .free import stress
from .glancing import glance
from .helping import Line, help_verify
from .osthreads import STALL_S, spread
from .parts import Report
from .replaying import replay
from .reproducing import reproduce
from .sharing import Crew
from .strategies import STRATEGIES
from .verifying import verify

__all__ = [
    "STALL_S",
    "STRATEGIES",
    "Crew",
    "Line",
    "Progress",
    "ProgressCall",
    "Report",
    "explore",
    "glance",
    "help_verify",
    "replay",
    "reproduce",
    "sources_of",
    "spread",
    "stress",
    "verify",
]
