"""vgic-mmio.c, vgic-mmio-v2.c: the guest writes to the distributor's registers.

Lock order: irq_lock, dropped before ap_list or desc is taken.
Guarantees: each vIRQ's bit or byte takes effect under its irq_lock; a register
as a whole does not.  No lock is held from one vIRQ to the next.
Assumes: the writer is a vCPU of ``d`` and holds no lock.
"""

from __future__ import annotations

from ..state import NULL, Domain
from .ap_list import ApList
from .hw_irq import HwIrq
from .state import vgic_cpu, vgic_get_irq

VGIC_PRI_MASK = 0xF8
"""The five bits of a priority that are kept: VGIC_PRI_BITS."""


class Mmio(ApList, HwIrq):
    """The write functions of the registers that scenarios write to."""

    def write_isenabler(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """One write to GICD_ISENABLER that sets the bits of ``virqs``.

        For each takes and drops irq_lock, ap_list with irq_lock inside, desc
        with irq_lock inside.
        Xen: vgic/vgic-mmio.c, vgic_mmio_write_senable @ RELEASE-4.11.0 and c447b7308b.
        """
        for virq in sorted(virqs):
            irq = vgic_get_irq(d, virq)
            irq.irq_lock.acquire()
            if irq.enabled:
                irq.irq_lock.release()
                continue
            irq.enabled = True
            desc = self.desc_behind(irq, "vgic_mmio_write_senable")
            self.vgic_queue_irq_unlock(irq)
            if desc is not NULL:
                self.vgic_sync_hardware_irq(d, desc, irq)

    def write_icenabler(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """One write to GICD_ICENABLER that clears the bits of ``virqs``.

        For each takes and drops irq_lock, then desc with irq_lock inside.  It
        stays on its ap_list until that vCPU next leaves the guest.
        Xen: vgic/vgic-mmio.c, vgic_mmio_write_cenable @ RELEASE-4.11.0 and c447b7308b.
        """
        for virq in sorted(virqs):
            irq = vgic_get_irq(d, virq)
            with irq.irq_lock:
                if not irq.enabled:
                    continue
                irq.enabled = False
                desc = self.desc_behind(irq, "vgic_mmio_write_cenable")
            if desc is not NULL:
                self.vgic_sync_hardware_irq(d, desc, irq)

    def write_itargetsr(self, d: Domain, virq: int, vcpu: int) -> None:
        """A write to GICD_ITARGETSR that sends ``virq`` to ``vcpu``.

        Takes and drops irq_lock; set_affinity is called without desc.lock.
        The vIRQ is not queued: if it was pending without a target, it keeps
        waiting.  Unlike Xen, the write is one byte, as GICv2 allows.
        Xen: vgic/vgic-mmio-v2.c, vgic_mmio_write_target @ RELEASE-4.11.0 and c447b7308b.
        """
        irq = vgic_get_irq(d, virq)
        with irq.irq_lock:
            irq.targets = 1 << vcpu
            target = vgic_cpu(d.vcpu[vcpu])
            irq.target_vcpu = target
            if irq.hw:
                self.irq_set_affinity(self.irq_to_desc(irq.hwintid), target.processor)

    def write_ipriorityr(self, d: Domain, virq: int, priority: int) -> None:
        """A write to GICD_IPRIORITYR.  Takes and drops irq_lock.

        Xen: vgic/vgic-mmio.c, vgic_mmio_write_priority @ RELEASE-4.11.0 and c447b7308b.
        """
        irq = vgic_get_irq(d, virq)
        with irq.irq_lock:
            irq.priority = priority & VGIC_PRI_MASK
