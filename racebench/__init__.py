"""RaceBench: stress, replay, explain and prove locking in concurrent programs.

The public API.  Programs are made of State, shared fields and primitives; the
engines run the same program on real threads, freely or under control.
"""

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
from .modes import explore, replay, stress, verify
from .primitives import (
    Condition,
    Lock,
    RLock,
    RWLock,
    Semaphore,
    State,
    check_that,
    shared,
    wait_until,
)
from .program import Program

__version__ = "0.1.0"

__all__ = [
    "Broken",
    "CheckFailed",
    "Condition",
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
    "UsageError",
    "Verdict",
    "broken",
    "check_that",
    "explore",
    "replay",
    "shared",
    "stress",
    "verify",
    "wait_until",
]
