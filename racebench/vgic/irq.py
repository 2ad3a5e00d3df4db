"""irq.c: physical interrupts, who owns them, and what happens when one fires.

Lock order: desc, then what gic.c and vgic.c take.
Guarantees: one pIRQ has one owner; ``action`` changes under desc.lock only.
Assumes: callers hold no desc, rank or vCPU lock.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL, EIO
from typing import ClassVar

from ..primitives import check_that, wait_until
from .action import IrqAction
from .header import Header
from .state import (
    FIRST_PIRQ,
    LAST_PIRQ,
    NULL,
    SOURCE_ONLY,
    Domain,
    IrqDesc,
    IrqType,
    Vcpu,
    reread,
    spi_to_pending,
)

GIC_PRI_IRQ = 0xA0


class Irq(Header):
    """irq.c @ baf2950213.

    ``IRQS_ON``: gic_interrupt enables interrupts before it calls do_IRQ, as it did until
    3455cd598c (2019).  All other functions take desc.lock with interrupts off.
    """

    IRQS_ON: ClassVar[bool] = True

    def irq_to_desc(self, irq: int) -> IrqDesc:
        """The desc of pIRQ ``irq``: an address, not a step."""
        return self.machine.descs[irq]

    def irq_get_guest_info(self, desc: IrqDesc) -> IrqAction:
        """The receiver of the guest IRQ ``desc``.  Enter with desc.lock held.

        Xen: irq.c, irq_get_guest_info @ baf2950213.
        """
        check_that(desc.lock.locked(), "crash.assertion", "irq_get_guest_info: desc->lock is not held")
        check_that(desc.GUEST, "crash.assertion", "irq_get_guest_info: _IRQ_GUEST is clear")
        action = desc.action
        check_that(action is not NULL, "crash.assertion", "irq_get_guest_info: desc->action is NULL")
        return action

    def irq_set_affinity(self, desc: IrqDesc, pcpu: int) -> None:
        """Send ``desc``, if there is one, to ``pcpu``.  Takes no lock and asserts none.

        A desc without an owner has no set_affinity: crash.null_handler.
        Xen: irq.c, irq_set_affinity @ baf2950213.
        """
        if desc is not NULL:
            set_affinity = desc.handler.set_affinity
            check_that(
                set_affinity is not None,
                "crash.null_handler",
                "irq_set_affinity: desc->handler->set_affinity is NULL, the handler is none",
            )
            set_affinity(desc, pcpu)  # type: ignore[misc]

    def is_assignable_irq(self, irq: int) -> bool:
        """Whether pIRQ ``irq`` is an SPI.

        Xen: irq.c, is_assignable_irq @ baf2950213.
        """
        return FIRST_PIRQ <= irq <= LAST_PIRQ

    def irq_type_set_by_domain(self, d: Domain) -> bool:
        """Whether ``d`` chooses the type of its lines: the hardware domain does.

        Xen: irq.c, irq_type_set_by_domain @ baf2950213.
        """
        return d.is_hardware_domain

    def __setup_irq(self, desc: IrqDesc, action: IrqAction) -> int:
        """Install ``action``; 0 or -EINVAL.  Enter with desc.lock held.

        Unlike Xen, no IRQ is shared.
        Xen: irq.c, __setup_irq @ baf2950213.
        """
        if desc.action is not NULL:
            return -EINVAL
        desc.action = action
        return 0

    def setup_irq(self, irq: int) -> int:
        """Take pIRQ ``irq`` for Xen itself; 0, -EBUSY (a guest's) or -EINVAL (in use).

        Takes and drops desc.lock.  Unlike Xen, always on pCPU 0.
        Xen: irq.c, setup_irq @ baf2950213.
        """
        desc = self.irq_to_desc(irq)
        with desc.lock:
            if desc.GUEST:
                return -EBUSY
            disabled = desc.action is NULL
            rc = self.__setup_irq(desc, IrqAction(NULL, 0))
            if rc:
                return rc
            if disabled:
                self.gic_route_irq_to_xen(desc, GIC_PRI_IRQ)
                self.irq_set_affinity(desc, 0)
                desc.handler.startup(desc)
            return 0

    def release_irq(self, irq: int, action: IrqAction) -> None:
        """Drop ``action`` from pIRQ ``irq``, then wait until no CPU handles it.

        Takes and drops desc.lock; spins with no lock held.
        Xen: irq.c, release_irq @ baf2950213.
        """
        desc = self.irq_to_desc(irq)
        with desc.lock:
            if desc.action is not action:
                # The thread that dropped the action has freed it, and the caller frees it again now.
                self.fault("crash.freed", f"the action of pIRQ {irq} is freed a second time", "action")
                return
            desc.action = NULL
            if desc.action is NULL:
                desc.handler.shutdown(desc)
                desc.GUEST = False
                self.left_behind(desc)
            if self.machine.shares_bits:
                action.d.allocated_irqs[action.d.allocated_index(action.virq)].release()
        wait_until(lambda: not desc.INPROGRESS)
        if self.machine.freed is not NULL:
            self.machine.freed.add(action)

    def left_behind(self, desc: IrqDesc) -> None:
        """Report what nobody clears when a pIRQ loses its owner.  Enter with desc.lock held."""
        line = desc.line
        if line is NULL:
            return
        if line.changes_owner:
            line.owner = None
        if line.latched:
            message = f"pIRQ {desc.irq} is given back with its latch set: its next owner gets that interrupt"
            self.fault("irq.stale_pending", message, "latch")

    def route_irq_to_guest(self, d: Domain, virq: int, irq: int) -> int:
        """Give pIRQ ``irq`` to ``d`` as SPI ``virq``.

        0, -EINVAL (a number out of range), -EIO (type not configured), -EBUSY.
        Takes and drops desc.lock, on failure twice.
        Xen: irq.c, route_irq_to_guest @ baf2950213.
        """
        if not self.vgic_is_spi(d, virq) or not self.is_assignable_irq(irq):
            return -EINVAL
        desc = self.irq_to_desc(irq)
        action = IrqAction(d, virq, desc)

        with desc.lock:
            if not self.irq_type_set_by_domain(d) and desc.type is IrqType.INVALID:
                return -EIO
            if desc.action is not NULL:
                return self._already_used(desc, d, virq)
            retval = self.__setup_irq(desc, action)
            if retval:
                return retval
            if desc.line is not NULL and desc.line.changes_owner:
                desc.line.owner = d.domain_id, virq
            retval = self.gic_route_irq_to_guest(d, virq, desc, GIC_PRI_IRQ)

        # Another CPU can take the desc here: it finds an action without GUEST.
        if retval:
            self.release_irq(desc.irq, action)
        return retval

    def _already_used(self, desc: IrqDesc, d: Domain, virq: int) -> int:
        """0 if the pIRQ in use is already this very vIRQ's, -EBUSY otherwise."""
        if not desc.GUEST:
            return -EBUSY
        if self.irq_get_guest_info(desc).d is not d:
            return -EBUSY
        return 0 if self.irq_get_guest_info(desc).virq == virq else -EBUSY

    def release_guest_irq(self, d: Domain, virq: int) -> int:
        """Take SPI ``virq``'s pIRQ back from ``d``; 0, -EINVAL (not routed) or -EBUSY.

        Takes and drops desc.lock twice, and what gic_remove_irq_from_guest takes.
        Xen: irq.c, release_guest_irq @ baf2950213.
        """
        if not self.vgic_is_spi(d, virq):
            return -EINVAL
        p = spi_to_pending(d, virq)
        if p.desc is NULL:
            return -EINVAL
        # No lock is held: the second read may find what another CPU has left.
        desc = reread(p)
        where = "release_guest_irq"
        check_that(desc is not NULL, "crash.null_desc", f"{where}: p->desc became NULL ({SOURCE_ONLY})")
        return self.release_desc(d, virq, desc)

    def release_desc(self, d: Domain, virq: int, desc: IrqDesc) -> int:
        """The rest of release_guest_irq, once it has its desc."""
        with desc.lock:
            if not desc.GUEST:
                return -EINVAL
            info = self.irq_get_guest_info(desc)
            if info.d is not d:
                return -EINVAL
            ret = self.gic_remove_irq_from_guest(d, virq, desc)
            if ret:
                return ret
        # Another CPU can run here: the desc has an action, but no GUEST.
        self.release_irq(desc.irq, info)
        return 0

    def do_IRQ(self, irq: int, current: Vcpu | None = None) -> None:
        """Handle pIRQ ``irq`` on the pCPU that acknowledged it; that ran ``current`` (None: another vCPU).

        Takes and drops desc.lock; a guest's IRQ is injected with it held.
        DISABLED is not tested for a guest's IRQ.
        Xen: irq.c, do_IRQ @ baf2950213.
        """
        desc = self.irq_to_desc(irq)
        with desc.lock:
            if self.done_at_once(desc, current):
                return
            desc.PENDING = True
            if desc.DISABLED or desc.INPROGRESS:
                desc.handler.end(desc)
                return
            desc.INPROGRESS = True
            again = self._next_xen_action(desc)
        while again:
            # Xen's own handler runs here, without the lock.
            with desc.lock:
                again = self._next_xen_action(desc)

    def done_at_once(self, desc: IrqDesc, current: Vcpu | None) -> bool:
        """Acknowledge; return whether that was all: a guest's IRQ, or nobody's.  Enter with desc.lock held.

        Xen: irq.c, in do_IRQ @ baf2950213.
        """
        if self.IRQS_ON:
            desc.irqs_on = True
        desc.handler.ack(desc)
        if desc.action is NULL:
            desc.handler.end(desc)
            return True
        if desc.GUEST:
            self.do_guest_irq(desc, current)
            return True
        return False

    def do_guest_irq(self, desc: IrqDesc, current: Vcpu | None) -> None:
        """Send a guest's IRQ to its vCPU.  Enter with desc.lock held.

        Xen: irq.c, in do_IRQ @ baf2950213.
        """
        info = self.irq_get_guest_info(desc)
        if self.machine.destroys:
            gone = f"do_IRQ: pIRQ {desc.irq} is routed to a domain that is freed"
            check_that(not info.d.destroyed, "crash.freed", gone)
        desc.handler.end(desc)
        desc.INPROGRESS = True
        self.vgic_vcpu_inject_spi(info.d, info.virq, current)

    def _next_xen_action(self, desc: IrqDesc) -> bool:
        """Whether Xen's handler has to run (again); if not, the IRQ ends here.

        Enter with desc.lock held.  Xen: irq.c, the loop of do_IRQ @ baf2950213.
        """
        if desc.PENDING:
            desc.PENDING = False
            return True
        desc.INPROGRESS = False
        desc.handler.end(desc)
        return False
