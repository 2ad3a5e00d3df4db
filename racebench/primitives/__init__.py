"""Shared state and synchronisation for programs under test.

Outside a run every class here is an ordinary object.  During a run the installed
runtime replaces the class of each object that is *created* then by its own.  Hence the
one rule for users: build the state inside ``setup`` (or inside a thread), not before.

Locks here are identified by a class ("desc") and an optional index ("64").
"""

from .atomic import Atomic
from .barrier import Barrier
from .condition import Condition
from .event import Event
from .locks import IrqGuard, Lock, RLock
from .primitive import Primitive
from .runtime import (
    Runtime,
    check_that,
    installed,
    irqs_enabled,
    irqs_off,
    irqs_on,
    irqsave,
    lent,
    smp_mb,
    smp_wmb,
    wait_until,
)
from .rwlock import Guard, RWLock
from .semaphore import BoundedSemaphore, Semaphore
from .state import Field, State, shared
from .thread import Thread, Timer

__all__ = [
    "Atomic",
    "Barrier",
    "BoundedSemaphore",
    "Condition",
    "Event",
    "Field",
    "Guard",
    "IrqGuard",
    "Lock",
    "Primitive",
    "RLock",
    "RWLock",
    "Runtime",
    "Semaphore",
    "State",
    "Thread",
    "Timer",
    "check_that",
    "installed",
    "irqs_enabled",
    "irqs_off",
    "irqs_on",
    "irqsave",
    "lent",
    "shared",
    "smp_mb",
    "smp_wmb",
    "wait_until",
]
