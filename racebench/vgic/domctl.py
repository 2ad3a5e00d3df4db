"""domctl.c, dt-overlay.c, dm.c: the hypercalls that route, release and inject.

Lock order: the hypercall's own lock (domctl; in ``head`` the caller's caps, for
reading), then what irq.c takes.
Guarantees: a vIRQ's bit in allocated_irqs is set before bind routes it.
Assumes: the caller holds no lock, and a reference to the domain (RCU).

A number is a vIRQ and a pIRQ at once: in every tree these callers pass the same number for both.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from errno import EBUSY, EINVAL
from typing import Any

from .header import Header
from .host import AllocatedIrq
from .state import NR_LOCAL_IRQS, Domain, IrqType


class Domctl(Header):
    """arch/arm/domctl.c @ baf2950213, and later additions."""

    def hypercall_lock(self) -> AbstractContextManager[Any]:
        """The lock that bind and unbind hold.  Xen: common/domctl.c, do_domctl @ baf2950213."""
        return self.machine.host.domctl_lock

    def bind_pt_irq(self, d: Domain, irq: int) -> int:
        """Reserve vIRQ ``irq``, and route pIRQ ``irq`` to it; 0, -EBUSY or the code of routing.

        Xen: arch/arm/domctl.c, XEN_DOMCTL_bind_pt_irq @ baf2950213.
        """
        with self.hypercall_lock():
            if not self.vgic_reserve_virq(d, irq):
                return -EBUSY
            rc = self.route_irq_to_guest(d, irq, irq)
            if rc:
                self.vgic_free_virq(d, irq)
            return rc

    def unbind_pt_irq(self, d: Domain, irq: int) -> int:
        """Release vIRQ ``irq``, and then its reservation; the code of releasing.

        Xen: arch/arm/domctl.c, XEN_DOMCTL_unbind_pt_irq @ baf2950213.
        """
        with self.hypercall_lock():
            rc = self.release_guest_irq(d, irq)
            if not rc:
                self.vgic_free_virq(d, irq)
            return rc

    def attach_overlay(self, d: Domain, irq: int) -> int:
        """Give a device's pIRQ ``irq`` to ``d``, which runs; the code of routing.

        Whether the vIRQ was reserved before makes no difference, and an error
        undoes nothing.  Unlike Xen, the device has one IRQ, and every domain is
        direct-mapped.
        Xen: dt-overlay.c, handle_attach_overlay_nodes, and arch/arm/device.c,
        map_device_irqs_to_domain, map_irq_to_domain @ c447b7308b.
        """
        host = self.machine.host
        with host.domctl_lock, host.overlay_lock, host.dt_host_lock.write():
            self.irq_set_type(irq, IrqType.LEVEL_HIGH)
            self.vgic_reserve_virq(d, irq)
            return self.route_irq_to_guest(d, irq, irq)

    def irq_set_type(self, irq: int, irq_type: IrqType) -> None:
        """Set the type of pIRQ ``irq``, unless it is set.  Takes and drops desc.lock.

        Xen: arch/arm/irq.c, irq_set_type @ c447b7308b.
        """
        desc = self.irq_to_desc(irq)
        with desc.lock:
            if desc.type is IrqType.INVALID:
                desc.type = irq_type

    def set_irq_level(self, d: Domain, virq: int) -> int:
        """A device model raises the line of ``virq``; 0, or -EINVAL if the vIRQ is reserved.

        Xen: arch/arm/dm.c, XEN_DMOP_set_irq_level @ 5d752df85f.
        """
        if not NR_LOCAL_IRQS <= virq < d.vgic_num_irqs or d.allocated_irqs[virq].taken:
            return -EINVAL
        self.vgic_vcpu_inject_spi(d, virq)
        return 0

    def vgic_reserve_virq(self, d: Domain, virq: int) -> bool:
        """Set the bit of ``virq``; False if it is set already, or there is no such vIRQ.

        Xen: vgic.c, vgic_reserve_virq @ baf2950213, and for an eSPI @ bdde400c6e.
        """
        if not self.vgic_is_valid_line(d, virq):
            return False
        return not d.allocated_irqs[d.allocated_index(virq)].test_and_set()

    def vgic_free_virq(self, d: Domain, virq: int) -> None:
        """Clear bit number ``virq``; for an eSPI too, whose bit has another number.

        A caller must not clear the bit of a virtual device, nor one that another caller has
        set, unless it has released the vIRQ for which the bit was set.
        Xen: vgic.c, vgic_free_virq @ baf2950213.
        """
        if virq >= d.vgic_num_irqs + d.nr_espis:
            # Unlike Xen, the memory there is not written.
            message = f"bit {virq} is cleared, of the {d.vgic_num_irqs + d.nr_espis} that allocated_irqs has"
            self.fault("reservation.out_of_bounds", message, "allocated_irqs")
            return
        bit: AllocatedIrq = d.allocated_irqs[virq]
        if bit.device:
            message = f"the reservation of vIRQ {virq} is given back, but a virtual device has it"
            self.fault("reservation.double_free", message, "allocated_irqs")
        was = bit.test_and_clear()
        if not was:
            message = f"the reservation of vIRQ {virq} is given back, but there is none"
            self.fault("reservation.double_free", message, "allocated_irqs")
        elif not bit.is_mine(was):
            message = f"the reservation of vIRQ {virq} is given back, but another caller has made it"
            self.fault("reservation.double_free", message, "another's")
