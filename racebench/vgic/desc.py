"""A physical interrupt: its ``struct irq_desc``, its type and its callbacks, by who owns it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, ClassVar

from ..primitives import Lock, State, check_that, shared
from .action import IrqAction
from .hardware import Line

NULL: Any = None
"""A NULL pointer.  Pointers are typed as in C: the type does not say NULL."""


class IrqType(enum.Enum):
    """How a line signals; Xen refuses to route a line whose type is unknown."""

    INVALID = "invalid"
    LEVEL_HIGH = "level"
    EDGE_RISING = "edge"

    # Each is one object.  An enum's own hash is a call of Python, for each state that is looked up.
    __hash__ = object.__hash__


class HwIrqController:
    """The callbacks of a pIRQ; this one is the none handler, ``no_irq_type``, of a desc without an owner.

    Every callback does nothing; those of Xen's own and of guests' lines are below.
    It has no ``set_affinity`` at all: a call goes through NULL.
    Xen: irq.c, no_irq_type @ baf2950213.
    """

    # No instance has state of its own; a desc only changes which instance it has.
    __slots__ = ()

    typename = "none"
    set_affinity: Callable[[IrqDesc, int], None] | None = None

    def startup(self, desc: IrqDesc) -> None:
        """Nothing to start."""

    def shutdown(self, desc: IrqDesc) -> None:
        """Nothing to stop."""

    def enable(self, desc: IrqDesc) -> None:
        """Nothing to enable."""

    def disable(self, desc: IrqDesc) -> None:
        """Nothing to disable."""

    def ack(self, desc: IrqDesc) -> None:
        """Nothing to do: reading the interrupt acknowledge register was the acknowledgement."""

    def end(self, desc: IrqDesc) -> None:
        """No priority drop: the pCPU never again takes an IRQ of this priority.

        Unlike Xen, the loss is recorded for the audit.
        """
        desc.lost_eoi = True

    def __repr__(self) -> str:
        return self.typename


NO_IRQ_TYPE = HwIrqController()


def deactivate(desc: IrqDesc) -> None:
    """The line may fire again.  Xen: gic-v2.c, gicv2_dir_irq @ baf2950213."""
    if desc.line is not NULL:
        desc.line.active = False


class _EndingIrqType(HwIrqController):
    """The none handler since 8aa276235b (2019): it ends IRQs without an owner as the host handler does.

    Xen: irq.c, no_irq_type @ 8aa276235b.
    """

    __slots__ = ()

    def end(self, desc: IrqDesc) -> None:
        """The priority drops, and the line is deactivated."""
        deactivate(desc)


ENDING_NO_IRQ_TYPE = _EndingIrqType()


def _gicv2_irq_set_affinity(desc: IrqDesc, pcpu: int) -> None:
    """Send ``desc`` to ``pcpu`` from now on: one register write, no lock needed.

    Xen: gic-v2.c, gicv2_irq_set_affinity @ baf2950213.
    """
    desc.affinity = pcpu


class _GicIrqType(HwIrqController):
    """The common part of host and guest: they drive a real line.

    Unlike Xen, gicv2.lock is left out: it nests inside everything and covers
    one register write, which here is one step.  The callbacks but ``end`` must be called with desc.lock held.
    """

    __slots__ = ()
    set_affinity = staticmethod(_gicv2_irq_set_affinity)

    def enable(self, desc: IrqDesc) -> None:
        """Xen: gic-v2.c, gicv2_irq_enable @ baf2950213.  desc.lock held."""
        check_that(desc.lock.locked(), "crash.assertion", "gicv2_irq_enable: desc->lock is not held")
        desc.DISABLED = False

    def disable(self, desc: IrqDesc) -> None:
        """Xen: gic-v2.c, gicv2_irq_disable @ baf2950213.  desc.lock held."""
        check_that(desc.lock.locked(), "crash.assertion", "gicv2_irq_disable: desc->lock is not held")
        desc.DISABLED = True

    def startup(self, desc: IrqDesc) -> None:
        """Xen: gic-v2.c, gicv2_irq_startup @ baf2950213.  desc.lock held."""
        self.enable(desc)

    def shutdown(self, desc: IrqDesc) -> None:
        """Xen: gic-v2.c, gicv2_irq_shutdown @ baf2950213.  desc.lock held."""
        self.disable(desc)


class _HostIrqType(_GicIrqType):
    __slots__ = ()
    typename = "host"

    def end(self, desc: IrqDesc) -> None:
        """The priority drops, and the line is deactivated.

        Xen: gic-v2.c, gicv2_host_irq_end @ baf2950213.
        """
        deactivate(desc)


class _GuestIrqType(_GicIrqType):
    __slots__ = ()
    typename = "guest"

    def end(self, desc: IrqDesc) -> None:
        """The priority drops.  The line stays active until the guest ends the IRQ.

        Xen: gic-v2.c, gicv2_guest_irq_end @ baf2950213.
        """


GIC_HOST_IRQ_TYPE = _HostIrqType()
GIC_GUEST_IRQ_TYPE = _GuestIrqType()


class IrqDesc(State):
    """One physical interrupt, ``struct irq_desc``.

    ``lock`` guards handler, action and type.  ``GUEST`` implies an action that
    names the vIRQ; an action without ``GUEST`` is Xen's own.
    """

    no_irq_type: ClassVar[HwIrqController] = NO_IRQ_TYPE

    INPROGRESS: bool = shared(False, atomic=True)
    DISABLED: bool = shared(True, atomic=True)
    PENDING: bool = shared(False, atomic=True)
    GUEST: bool = shared(False, atomic=True)
    handler: HwIrqController = shared(NO_IRQ_TYPE)
    action: IrqAction = shared(NULL)
    type: IrqType = shared(IrqType.LEVEL_HIGH)
    priority: int = shared(0)
    affinity: int = shared(0, atomic=True)
    # Evidence, not Xen's: a pCPU ended this IRQ through the none handler.
    lost_eoi: bool = shared(False, atomic=True)
    # Evidence too: do_IRQ held the lock with interrupts on.
    irqs_on: bool = shared(False, atomic=True)

    def __init__(self, irq: int) -> None:
        self.irq = irq
        self.lock = Lock("desc", irq)
        # NULL in a scenario in which the line cannot become active.
        self.line: Line = NULL

    def label(self) -> str:
        return f"desc[{self.irq}]"


class EndingIrqDesc(IrqDesc):
    """The same since 8aa276235b: IRQs without an owner are ended."""

    no_irq_type = ENDING_NO_IRQ_TYPE
    handler: HwIrqController = shared(ENDING_NO_IRQ_TYPE)
