"""How a pIRQ is driven: Xen's three hw_irq_controllers.

``none`` is a desc nobody owns, ``host`` one that Xen handles, ``guest`` one
that is routed to a domain.  ``enable``, ``disable``, ``startup`` and
``shutdown`` of host and guest are to be called with desc.lock held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..primitives import check_that

if TYPE_CHECKING:
    from .state import IrqDesc

SetAffinity = Callable[["IrqDesc", int], None]


class HwIrqController:
    """The none handler, ``no_irq_type``: every callback does nothing.

    It has no ``set_affinity`` at all: a call goes through NULL.
    Xen: irq.c, no_irq_type @ baf2950213.
    """

    # None has anything of its own: which one a desc has is all that changes.
    __slots__ = ()

    typename = "none"
    set_affinity: SetAffinity | None = None

    def startup(self, desc: IrqDesc) -> None:
        """Nothing to start."""

    def shutdown(self, desc: IrqDesc) -> None:
        """Nothing to stop."""

    def enable(self, desc: IrqDesc) -> None:
        """Nothing to enable."""

    def disable(self, desc: IrqDesc) -> None:
        """Nothing to disable."""

    def ack(self, desc: IrqDesc) -> None:
        """Reading the interrupt acknowledge register has done it."""

    def end(self, desc: IrqDesc) -> None:
        """No priority drop: the pCPU never again takes an IRQ of this priority.

        Unlike Xen, the loss is put on record for the audit.
        """
        desc.lost_eoi = True

    def __repr__(self) -> str:
        return self.typename


class _GicIrqType(HwIrqController):
    """What the host and guest types share: they drive a real line.

    Unlike Xen, gicv2.lock is left out: it nests inside everything and covers
    one register write, which here is one step.
    """

    __slots__ = ()

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

    def end(self, desc: IrqDesc) -> None:
        """The priority drops.  What deactivates the line is not tracked.

        Xen: gic-v2.c, gicv2_host_irq_end, gicv2_guest_irq_end @ baf2950213.
        """


def _gicv2_irq_set_affinity(desc: IrqDesc, pcpu: int) -> None:
    """Send ``desc`` to ``pcpu`` from now on: one register write, no lock needed.

    Xen: gic-v2.c, gicv2_irq_set_affinity @ baf2950213.
    """
    desc.affinity = pcpu


class _HostIrqType(_GicIrqType):
    __slots__ = ()
    typename = "host"
    set_affinity = staticmethod(_gicv2_irq_set_affinity)


class _GuestIrqType(_GicIrqType):
    __slots__ = ()
    typename = "guest"
    set_affinity = staticmethod(_gicv2_irq_set_affinity)


NO_IRQ_TYPE = HwIrqController()
GIC_HOST_IRQ_TYPE = _HostIrqType()
GIC_GUEST_IRQ_TYPE = _GuestIrqType()
