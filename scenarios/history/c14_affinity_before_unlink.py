"""The line moves before the unlinking can be seen (Xen 31bc6a93a0, April 2017).

vIRQ 40 was in a list register of vCPU 0 when the guest sent it to vCPU 1: it is
MIGRATING, and its EOI on vCPU 0 takes it off that list, then moves the line.  From
then on it can fire on vCPU 1's processor, where vgic_vcpu_inject_irq looks at the
same links under another lock.

before  The program is in the right order, but nothing keeps the processor from
        showing the move first: on ARM two stores may become visible either way
        round.  vCPU 1 finds the vIRQ still linked into vCPU 0's list.
after   smp_wmb between the two.

Unlike Xen, moving the line takes no gicv2.lock: in RaceBench a lock orders every
store before it, whereas taking a spinlock on ARM lets an earlier store pass.
"""

import racebench as rb

TITLE = "vIRQ 40 fires on vCPU 1's processor while its EOI on vCPU 0 moves the line there"
SOURCE = "gic.c: gic_update_one_lr, vgic.c: vgic_vcpu_inject_irq @ 31bc6a93a0"
TAGS = ["history", "eoi", "barrier", "C14"]
EXPECT = {"before": ["data_race", "list.corrupted"], "after": []}


class Pending(rb.State):
    inflight_on = rb.shared("vcpu0", delayed=True)
    MIGRATING = rb.shared(True, atomic=True)

    def label(self):
        return "p40"


class Machine(rb.State):
    """The line's target is a register of the distributor, not memory that a race could tear."""

    affinity = rb.shared(0, atomic=True)

    def __init__(self):
        self.p = Pending()
        self.vcpu0_lock, self.vcpu1_lock = rb.Lock("vcpu", 0), rb.Lock("vcpu", 1)

    def label(self):
        return "desc64"

    def unlinked(self):
        """Xen: gic.c, in gic_update_one_lr @ 31bc6a93a0."""
        rb.smp_wmb()


class NoBarrier(Machine):
    def unlinked(self):
        """Xen: gic.c, in gic_update_one_lr @ 31bc6a93a0^."""


def gic_update_one_lr(m):
    """vCPU 0 has ended the vIRQ, and nothing more is queued.  Xen: gic.c, same @ 31bc6a93a0."""
    with m.vcpu0_lock:
        m.p.inflight_on = None
        m.unlinked()
        if m.p.MIGRATING:
            m.p.MIGRATING = False
            m.affinity = 1


def vgic_vcpu_inject_irq(m):
    """The line fires on its new processor.  Xen: vgic.c, same @ 31bc6a93a0."""
    rb.wait_until(lambda: m.affinity == 1)
    with m.vcpu1_lock:
        rb.check_that(
            m.p.inflight_on is None,
            "list.corrupted",
            "vCPU 1 takes vIRQ 40 in while it is linked into vCPU 0's list",
        )
        m.p.inflight_on = "vcpu1"


def variants():
    def program(machine):
        threads = {"vcpu0": gic_update_one_lr, "pcpu1": vgic_vcpu_inject_irq}
        return rb.Program("affinity_before_unlink", setup=machine, threads=threads)

    return {"before": program(NoBarrier), "after": program(Machine)}
