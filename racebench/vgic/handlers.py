"""The callbacks of a pIRQ that belongs to Xen (``host``) or to a domain (``guest``).

``enable``, ``disable``, ``startup`` and
``shutdown`` of host and guest must be called with desc.lock held.
"""

from __future__ import annotations

from ..primitives import check_that
from .desc import HwIrqController, IrqDesc, deactivate


class _GicIrqType(HwIrqController):
    """The common part of host and guest: they drive a real line.

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


def _gicv2_irq_set_affinity(desc: IrqDesc, pcpu: int) -> None:
    """Send ``desc`` to ``pcpu`` from now on: one register write, no lock needed.

    Xen: gic-v2.c, gicv2_irq_set_affinity @ baf2950213.
    """
    desc.affinity = pcpu


class _HostIrqType(_GicIrqType):
    __slots__ = ()
    typename = "host"
    set_affinity = staticmethod(_gicv2_irq_set_affinity)

    def end(self, desc: IrqDesc) -> None:
        """The priority drops, and the line is deactivated.

        Xen: gic-v2.c, gicv2_host_irq_end @ baf2950213.
        """
        deactivate(desc)


class _GuestIrqType(_GicIrqType):
    __slots__ = ()
    typename = "guest"
    set_affinity = staticmethod(_gicv2_irq_set_affinity)

    def end(self, desc: IrqDesc) -> None:
        """The priority drops.  The line stays active until the guest ends the IRQ.

        Xen: gic-v2.c, gicv2_guest_irq_end @ baf2950213.
        """


GIC_HOST_IRQ_TYPE = _HostIrqType()
GIC_GUEST_IRQ_TYPE = _GuestIrqType()
