"""RaceBench: stress, replay, explain and prove locking in concurrent programs.

The public API.  Programs are made of State, shared fields and primitives; the
engines run the same program on real threads, freely or under control.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import BrokenBarrierError, local
    from typing import Any

    from .campaign.modes import explore, replay, stress, verify
    from .campaign.results import load
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
    from .pytest_plugin.race_test import race_test

    __version__: str

_WORDS = ("bounds", "errors", "findings", "primitives", "program", "records", "trace", "values")
_HOMES = {
    **dict.fromkeys(("explore", "replay", "stress", "verify"), ".campaign.modes"),
    **dict.fromkeys(("Broken", "Finding", "Result", "Verdict", "broken"), ".findings"),
    **dict.fromkeys(
        (
            *("CheckFailed", "HarnessBug", "ProgramError", "RaceBenchError", "ReplayDiverged"),
            *("ResultError", "ScenarioError", "UsageError"),
        ),
        ".errors",
    ),
    **dict.fromkeys(("BrokenBarrierError", "local"), "threading"),
    "Program": ".program",
    "load": ".campaign.results",
    "race_test": ".pytest_plugin.race_test",
}
"""The module of each public name, except the primitives'."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use: a command must handle Ctrl-C before it loads anything.

    And pytest imports this package in every run, for its plugin.
    """
    if name in _WORDS:
        return import_module(f".{name}", __name__)
    if name == "__version__":
        value = import_module(".records", __name__).VERSION
    elif name in __all__:
        value = getattr(import_module(_HOMES.get(name, ".primitives"), __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The names of the public API."""
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
