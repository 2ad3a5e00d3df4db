"""The tree of 1c77496bc8 (2024): the route half of the guard is dropped again.

Lock order: as connect_hw_irq: desc -> rank, desc -> vcpu, rank -> vcpu,
rank -> desc.  Connecting also refuses a vIRQ that is VISIBLE or ACTIVE.
That tree has 8aa276235b, 3455cd598c and f83a02eb81 (2019) too: an interrupt without
an owner is ended, do_IRQ is called with interrupts off, and Xen's own is never pending a
second time.
"""

from __future__ import annotations

from ...primitives import check_that
from ..desc import EndingIrqDesc
from ..domain import Protocol
from ..lists import INFLIGHT
from ..state import (
    NULL,
    SOURCE_ONLY,
    Domain,
    IrqDesc,
    PendingIrq,
    Vcpu,
    irq_to_pending,
    reread,
    spi_to_pending,
)
from .connect_hw_irq import ConnectHwIrq
from .creation_guard import CreationGuard


class RouteWhileRunning(CreationGuard):
    """Routing at any time, removal only while the domain dies."""

    ID = "route_while_running"
    SUMMARY = "1c77496bc8: routing at any time, refused if VISIBLE or ACTIVE; release only if is_dying"
    TREE = "1c77496bc8"

    ABSENT = frozenset(("attach",))
    irq_desc = EndingIrqDesc
    IRQS_ON = False

    def domain_kill(self, d: Domain) -> None:
        """As at baseline, under the domctl lock again.  Xen: common/domain.c, domain_kill @ d0887cc6b1."""
        Protocol.domain_kill(self, d)

    def write_ispendr(self, d: Domain, virqs: tuple[int, ...], current: Vcpu | None) -> None:
        """One write to GICD_ISPENDR that sets the bits of ``virqs``, by ``current`` if that matters.

        Takes and drops the lock of the desc to which p.desc points, which is read again
        each time, and sets the line's latch; without a pIRQ injects.  No rank lock.
        Xen: vgic.c, vgic_set_irqs_pending @ 067935804a.
        """
        gone = "vgic_set_irqs_pending: p->desc became NULL"
        for virq in sorted(virqs):
            p = spi_to_pending(d, virq)
            if p.desc is NULL:
                self.vgic_vcpu_inject_spi(d, virq, current)
                continue
            # No call comes between the test and this read.
            locked = reread(p)
            check_that(locked is not NULL, "crash.null_desc", f"{gone} ({SOURCE_ONLY})")
            locked.lock.acquire()
            desc = p.desc
            check_that(desc is not NULL, "crash.null_desc", gone)
            self.gic_set_pending_state(desc, True)
            unlocked = p.desc
            check_that(unlocked is not NULL, "crash.null_desc", gone)
            unlocked.lock.release()

    def write_icpendr(self, d: Domain, virqs: tuple[int, ...]) -> None:
        """One write to GICD_ICPENDR: Xen tests the vIRQs, and ignores the write.  Takes and drops vcpu.

        Xen: vgic.c, vgic_check_inflight_irqs_pending @ 23ec1ebc8a.
        """
        for virq in sorted(virqs):
            v_target = self.vgic_get_target_vcpu(d.vcpu[0], virq)
            with v_target.lock:
                INFLIGHT.is_linked(irq_to_pending(v_target, virq))

    def do_IRQ(self, irq: int, current: Vcpu | None = None) -> None:
        """As at baseline, but without PENDING.  Takes and drops desc.lock, for Xen's own twice.

        Xen tests for an action in a debug build only, as this is one (d48ef111c7).
        Xen: irq.c, do_IRQ @ f83a02eb81.
        """
        desc = self.irq_to_desc(irq)
        with desc.lock:
            if self.done_at_once(desc, current):
                return
            if desc.DISABLED:
                desc.handler.end(desc)
                return
            desc.INPROGRESS = True
            # Only the read: what Xen's own handler then does without the lock is not modelled.
            desc.action  # noqa: B018
        with desc.lock:
            desc.INPROGRESS = False
            desc.handler.end(desc)

    def gic_route_irq_to_guest(self, d: Domain, virq: int, desc: IrqDesc, priority: int) -> int:
        """As connect_hw_irq.  Enter with desc.lock held.

        Xen: gic.c, gic_route_irq_to_guest @ 1c77496bc8.
        """
        return ConnectHwIrq.gic_route_irq_to_guest(self, d, virq, desc, priority)

    def may_connect(self, p: PendingIrq) -> bool:
        """Also not while the guest still has it.  Enter with the rank lock held.

        Xen: gic-vgic.c, vgic_connect_hw_irq @ 1c77496bc8.
        """
        return super().may_connect(p) and not p.VISIBLE and not p.ACTIVE
