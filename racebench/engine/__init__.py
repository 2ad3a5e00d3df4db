"""The engines: run a Program freely, under control, or along a recording."""

from .exploring import Progress, explore, reproduce
from .free import stress
from .replaying import replay
from .strategies import STRATEGIES
from .verifying import verify

__all__ = ["STRATEGIES", "Progress", "explore", "replay", "reproduce", "stress", "verify"]
