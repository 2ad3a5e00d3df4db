"""RaceBench: stress, replay, explain and prove locking in concurrent programs.

The public API.  Programs are made of State, shared fields and primitives; the
engines run the same program on real threads, freely or under control.
"""

from threading import BrokenBarrierError, local
from typing import TYPE_CHECKING, Any

from .errors import (
    CheckFailed,
    HarnessBug,
    ProgramError,
    RaceBenchError,
    ReplayDiverged,
    ResultError,
    ScenarioError,
    UsageError,
)
from .findings import Broken, Finding, Result, Verdict, broken
from .primitives import (
    Atomic,
    Barrier,
    BoundedSemaphore,
    Condition,
    Event,
    Lock,
    RLock,
    RWLock,
    Semaphore,
    State,
    Thread,
    Timer,
    check_that,
    irqs_enabled,
    irqs_off,
    irqs_on,
    irqsave,
    shared,
    smp_mb,
    smp_wmb,
    wait_until,
)
from .program import Program
from .records import VERSION

if TYPE_CHECKING:
    from .campaign.modes import explore, replay, stress, verify
    from .campaign.results import load
    from .pytest_plugin.race_test import race_test

__version__ = VERSION

_MODES = ("explore", "replay", "stress", "verify")


def __getattr__(name: str) -> Any:
    """The engines, on first use: pytest imports this package in every run, for its plugin."""
    if name in _MODES:
        from .campaign import modes

        value = getattr(modes, name)
    elif name == "load":
        from .campaign.results import load as value
    elif name == "race_test":
        from .pytest_plugin.race_test import race_test as value
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The API, the engines included."""
    return sorted(__all__)


__all__ = [
    "Atomic",
    "Barrier",
    "BoundedSemaphore",
    "Broken",
    "BrokenBarrierError",
    "CheckFailed",
    "Condition",
    "Event",
    "Finding",
    "HarnessBug",
    "Lock",
    "Program",
    "ProgramError",
    "RLock",
    "RWLock",
    "RaceBenchError",
    "ReplayDiverged",
    "Result",
    "ResultError",
    "ScenarioError",
    "Semaphore",
    "State",
    "Thread",
    "Timer",
    "UsageError",
    "Verdict",
    "broken",
    "check_that",
    "explore",
    "irqs_enabled",
    "irqs_off",
    "irqs_on",
    "irqsave",
    "load",
    "local",
    "race_test",
    "replay",
    "shared",
    "smp_mb",
    "smp_wmb",
    "stress",
    "verify",
    "wait_until",
]
