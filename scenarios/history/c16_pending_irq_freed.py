"""An LPI's pending_irq is looked up before the lock that keeps it alive (Xen 5f66da6590, June 2017).

Until LPIs came, irq_to_pending named a slot of an array that lived as long as
the domain, and its callers asked for it before they took the vgic lock of the
vCPU.  The pending_irq of an LPI goes away when the guest unmaps the LPI:

    pCPU 1, the LPI fires            vCPU 0, its ITS commands
    n = irq_to_pending(LPI)
                                     DISCARD: off the tree, off the queues
                                     the device goes: n is freed
    vgic lock; n onto inflight

The list of the vCPU runs through freed memory from now on.  The fix looks up
under the vgic lock, which DISCARD takes too: n is used before it is taken off
the queues, or not found at all.  (vgic_disable_irqs takes p->desc along under
that lock since then; vgic_enable_irqs still reads p->desc again without it.)

Unlike Xen, an LPI that is not found is put up with before the fix as well: that
is 56e1b3ebc9, of the same series.
"""

import racebench as rb

TITLE = "An LPI is injected while the guest unmaps its device"
SOURCE = "vgic.c: vgic_vcpu_inject_irq @ 5f66da6590"
TAGS = ["history", "lpi", "C16"]
EXPECT = {"before": ["list.corrupted"], "after": []}


class PendingIrq(rb.State):
    """The pending_irq of LPI 8192, in memory of its device."""

    inflight = rb.shared(False)
    # Evidence, not Xen's: the allocator has the memory back.
    freed = rb.shared(False, atomic=True)

    def label(self):
        return "p[8192]"


class Vcpu(rb.State):
    """vCPU 0, for which the LPI is; ``lock`` guards the list."""

    inflight_irqs = rb.shared(())
    pend_lpi_tree = rb.shared(None)

    def __init__(self):
        self.lock = rb.Lock("vcpu", 0)
        self.pend_lpi_tree_lock = rb.RWLock("pend_lpi_tree_lock")
        self.pend_lpi_tree = PendingIrq()

    def label(self):
        return "vcpu[0]"


def irq_to_pending(v):
    """None if the LPI is not mapped.  Xen: vgic-v3.c, vgic_v3_lpi_to_pending @ 71c23f4d9f."""
    with v.pend_lpi_tree_lock.read():
        return v.pend_lpi_tree


def insert_inflight(v, n):
    """Enter with the vgic lock held.  Xen: in vgic.c, vgic_vcpu_inject_irq @ 5f66da6590."""
    if n is None:
        return
    rb.check_that(not n.freed, "list.corrupted", "LPI 8192 goes onto inflight of vCPU 0: its memory is freed")
    if not n.inflight:
        n.inflight = True
        v.inflight_irqs = (*v.inflight_irqs, n)


def inject_looked_up_outside(v):
    """Xen: vgic.c, vgic_vcpu_inject_irq @ 5f66da6590^."""
    n = irq_to_pending(v)
    with v.lock:
        insert_inflight(v, n)


def inject_looked_up_inside(v):
    """Xen: vgic.c, vgic_vcpu_inject_irq @ 5f66da6590."""
    with v.lock:
        insert_inflight(v, irq_to_pending(v))


def its_unmap_device(v):
    """The guest unmaps the device.

    Xen: vgic-v3-its.c, its_unmap_device, its_discard_event @ 08055c8ea7; gic-v3-its.c,
    remove_mapped_guest_device.
    """
    with v.lock:
        with v.pend_lpi_tree_lock.write():
            p, v.pend_lpi_tree = v.pend_lpi_tree, None
        if p.inflight:
            p.inflight = False
            v.inflight_irqs = tuple(i for i in v.inflight_irqs if i is not p)
    p.freed = True


def nothing_freed_is_inflight(v, results):
    if not any(p.freed for p in v.inflight_irqs):
        return None
    message = "LPI 8192 is on inflight of vCPU 0, but its memory is freed"
    return rb.broken("list.corrupted", message, ("inflight_irqs", "freed"))


def variants():
    def program(inject):
        threads = {"pcpu1": inject, "vcpu0": its_unmap_device}
        return rb.Program("pending_irq_freed", setup=Vcpu, threads=threads, check=nothing_freed_is_inflight)

    return {"before": program(inject_looked_up_outside), "after": program(inject_looked_up_inside)}
