"""RaceBench: stress, replay, explain and prove locking in concurrent programs.

The public API.  Programs are made of State, shared fields and primitives; the
engines run the same program on real threads, freely or under control.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from threading import BrokenBarrierError as BrokenBarrierError
    from threading import local as local
    from typing import Any

    from .campaign.modes import explore as explore
    from .campaign.modes import replay as replay
    from .campaign.modes import stress as stress
    from .campaign.modes import verify as verify
    from .campaign.results import load as load
    from .errors import CheckFailed as CheckFailed
    from .errors import HarnessBug as HarnessBug
    from .errors import ProgramError as ProgramError
    from .errors import RaceBenchError as RaceBenchError
    from .errors import ReplayDiverged as ReplayDiverged
    from .errors import ResultError as ResultError
    from .errors import ScenarioError as ScenarioError
    from .errors import UsageError as UsageError
    from .findings import Broken as Broken
    from .findings import Finding as Finding
    from .findings import Result as Result
    from .findings import Verdict as Verdict
    from .findings import broken as broken
    from .primitives import Atomic as Atomic
    from .primitives import Barrier as Barrier
    from .primitives import BoundedSemaphore as BoundedSemaphore
    from .primitives import Condition as Condition
    from .primitives import Event as Event
    from .primitives import Lock as Lock
    from .primitives import RLock as RLock
    from .primitives import RWLock as RWLock
    from .primitives import Semaphore as Semaphore
    from .primitives import State as State
    from .primitives import Thread as Thread
    from .primitives import Timer as Timer
    from .primitives import check_that as check_that
    from .primitives import irqs_enabled as irqs_enabled
    from .primitives import irqs_off as irqs_off
    from .primitives import irqs_on as irqs_on
    from .primitives import irqsave as irqsave
    from .primitives import shared as shared
    from .primitives import smp_mb as smp_mb
    from .primitives import smp_wmb as smp_wmb
    from .primitives import wait_until as wait_until
    from .program import Program as Program
    from .pytest_plugin.race_test import race_test as race_test

    __version__: str

_WORDS = ("bounds", "errors", "findings", "primitives", "program", "records", "trace", "values")
_PUBLIC = {
    "threading": "BrokenBarrierError local",
    ".campaign.modes": "explore replay stress verify",
    ".campaign.results": "load",
    ".errors": "CheckFailed HarnessBug ProgramError RaceBenchError ReplayDiverged ResultError ScenarioError "
    "UsageError",
    ".findings": "Broken Finding Result Verdict broken",
    ".primitives": "Atomic Barrier BoundedSemaphore Condition Event Lock RLock RWLock Semaphore State Thread "
    "Timer check_that irqs_enabled irqs_off irqs_on irqsave shared smp_mb smp_wmb wait_until",
    ".program": "Program",
    ".pytest_plugin.race_test": "race_test",
}
"""The public names of each module."""
_HOMES = {name: module for module, names in _PUBLIC.items() for name in names.split()}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name on first use: a command must handle Ctrl-C before it loads anything.

    And pytest imports this package in every run, for its plugin.
    """
    if name in _WORDS:
        return import_module(f".{name}", __name__)
    if name == "__version__":
        value = import_module(".records", __name__).VERSION
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name], __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The names of the public API."""
    return __all__
