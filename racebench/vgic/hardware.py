"""The interrupt controller itself: the line of a pIRQ, and the content of a list register.

Guarantees: each access is one step, like an access to a register.  A line that
is active does not fire; whether it is enabled and where it goes is in its
``irq_desc`` (DISABLED, affinity), which Xen changes with the register.
Assumes: a list register is touched only by the pCPU that runs its vCPU.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from ..primitives import Lock, State, shared


class ListRegister(NamedTuple):
    """The content of one list register.  ``pirq`` is set if its HW bit is.

    Neither ``pending`` nor ``active``: the guest has ended it, and the next
    trap of its vCPU frees the register.
    """

    virq: int
    pirq: int | None = None
    pending: bool = True
    active: bool = False

    def ended(self) -> ListRegister:
        """The content after the guest has taken the interrupt (if it had not yet) and ended it."""
        return self._replace(pending=self.pending and self.active, active=False)


class Line(State):
    """The physical line of a pIRQ, for the scenarios in which it can fire.

    ``active``: acknowledged, and not deactivated since.  ``latched``: an edge, or
    a write to the distributor's ISPENDR, that no pCPU has acknowledged; what a
    device asserts is not kept, because a scenario says when it fires.  ``owner`` is
    (domain, vIRQ) of the present action, kept if ``changes_owner``.
    """

    active: bool = shared(False, atomic=True)
    latched: bool = shared(False, atomic=True)
    owner: Any = shared(None, atomic=True)

    def __init__(self, irq: int, contended: bool, changes_owner: bool) -> None:
        self.irq, self.contended, self.changes_owner = irq, contended, changes_owner
        # Unlike in hardware, where an SPI disappears for the other pCPUs once one pCPU has
        # read the acknowledge register.  No other lock is taken while this one is held.
        self.arbiter: AbstractContextManager[Any] = Lock("line", irq) if contended else nullcontext()

    def label(self) -> str:
        return f"line[{self.irq}]"

    def acknowledge(self) -> bool:
        """A pCPU reads the acknowledge register; False if the line is active, and does not fire."""
        with self.arbiter:
            # If no other thread acknowledges the line, it cannot be active.
            if self.contended and self.active:
                return False
            self.active = True
        return True


class Arrival(State):
    """One interrupt that comes to the pCPU that runs a vCPU or to another pCPU: the first one takes it.

    ``pcpu``, one lock for each vCPU, is held while that pCPU is busy: it takes an interrupt only between two
    operations of the vCPU's thread, because Xen does each of them with interrupts off.
    Lock order: ``pcpu`` before all else; no lock is taken while ``lock`` is held.
    """

    taken: bool = shared(False, atomic=True)

    def __init__(self, thread: str, pcpu: Lock) -> None:
        self.thread, self.pcpu = thread, pcpu
        self.lock = Lock("arrival", thread)

    def label(self) -> str:
        return f"arrival[{self.thread}]"

    def take(self) -> bool:
        """Whether the interrupt is the caller's: true for the first call only."""
        with self.lock:
            was = self.taken
            self.taken = True
        return not was
