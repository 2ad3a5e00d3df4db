"""An interrupt that comes while its predecessor is inflight is forgotten (Xen db453468d9, 2013).

The guest clears evtchn_upcall_pending and handles its events, and only then
EOIs the PPI.  A sender in between sets upcall_pending again, but
vgic_vcpu_inject_irq finds the PPI inflight and drops it; the EOI is the last
the guest hears of it.

before       No one looks again.
after        db453468d9: gic_inject, on the way back to the guest, injects once
             more if upcall_pending is set.
sgi          An SGI is dropped in the same way, and has no flag to look at.
sgi_pending  d16d51166b (December 2013): injection leaves GUEST_PENDING behind,
             and maintenance_interrupt queues again.  It tests the bit under
             gic.lock, but unlinks the node in a second critical section: a
             sender between the two still finds it inflight.
sgi_locked   5495a512b6 (June 2014): test and unlinking are one critical section
             under the vCPU's lock.

The guest sleeps until it has seen both of two events: a lost one is a
deadlock.wait.

Unlike Xen, "inflight?" is asked under the vCPU's lock in all of them (C1), an
injected interrupt is in its list register at once, and the guest's EOI is the
first step of maintenance_interrupt, which it raises.
"""

import racebench as rb

TITLE = "A second event comes between the guest's event loop and its EOI"
SOURCE = "gic.c: gic_inject, maintenance_interrupt @ db453468d9, d16d51166b, 5495a512b6"
TAGS = ["history", "injection", "eoi", "C5"]
EXPECT = {
    "before": ["deadlock.wait"],
    "after": [],
    "sgi": ["deadlock.wait"],
    "sgi_pending": ["deadlock.wait"],
    "sgi_locked": [],
}


class Upcall(rb.State):
    """One interrupt of a vCPU that is about to see its first event."""

    GUEST_PENDING = rb.shared(False, atomic=True)
    inflight = rb.shared(True)
    LR = rb.shared(True, atomic=True)
    upcall_pending = rb.shared(True, atomic=True)
    events = rb.shared(1, atomic=True)

    def __init__(self):
        self.lock = rb.Lock("vcpu", 0)
        self.gic_lock = rb.Lock("gic")

    def label(self):
        return "vcpu[0]"

    def vgic_vcpu_inject_irq(self):
        """Nothing if it is inflight.  Xen: vgic.c, vgic_vcpu_inject_irq @ db453468d9."""
        with self.lock:
            if self.inflight:
                self.already_inflight()
                return
            self.inflight = True
            self.LR = True

    def already_inflight(self):
        """Xen: vgic.c, in vgic_vcpu_inject_irq @ db453468d9."""

    def maintenance_interrupt(self):
        """Clean up after the guest's EOI.  Xen: gic.c, maintenance_interrupt @ db453468d9."""
        with self.gic_lock:
            self.LR = False
        with self.lock:
            self.inflight = False

    def gic_inject(self):
        """On the way back to the guest.  Xen: gic.c, gic_inject @ db453468d9."""
        if self.upcall_pending:
            self.vgic_vcpu_inject_irq()


class NobodyLooks(Upcall):
    def gic_inject(self):
        """Xen: gic.c, gic_inject @ db453468d9^."""


class Pending(Upcall):
    def already_inflight(self):
        """Xen: vgic.c, in vgic_vcpu_inject_irq @ d16d51166b."""
        self.GUEST_PENDING = True

    def maintenance_interrupt(self):
        """Xen: gic.c, maintenance_interrupt @ d16d51166b."""
        with self.gic_lock:
            self.LR = False
            inflight = self.queue_again()
        if not inflight:
            with self.lock:
                self.inflight = False

    def queue_again(self):
        """Whether it came meanwhile; then it has a list register again.  Part of its callers."""
        if self.GUEST_PENDING:
            self.GUEST_PENDING = False
            self.LR = True
            return True
        return False


class Locked(Pending):
    def maintenance_interrupt(self):
        """By then at every trap.  Xen: gic.c, gic_clear_lrs, gic_update_one_lr @ 5495a512b6."""
        with self.lock:
            self.LR = False
            if not self.queue_again():
                self.inflight = False


def event_loop(v):
    """The guest: two events are to be seen; each upcall shows those that are there."""
    seen = 0
    while seen < 2:
        rb.wait_until(lambda: v.LR)
        v.upcall_pending = False
        seen = v.events
        v.maintenance_interrupt()
        v.gic_inject()


def vcpu_mark_events_pending(v):
    """Xen: domain.c, vcpu_mark_events_pending @ db453468d9."""
    v.events = 2
    v.upcall_pending = True
    v.vgic_vcpu_inject_irq()


def sgi_handler(v):
    """The guest: the same for what another vCPU left before it sent its SGI."""
    seen = 0
    while seen < 2:
        rb.wait_until(lambda: v.LR)
        seen = v.events
        v.maintenance_interrupt()


def vgic_to_sgi(v):
    """Another vCPU writes GICD_SGIR.  Xen: vgic.c, vgic_to_sgi @ d16d51166b."""
    v.events = 2
    v.vgic_vcpu_inject_irq()


def variants():
    def program(state, **threads):
        return rb.Program("lost_upcall", setup=state, threads=threads)

    def upcall(state):
        return program(state, vcpu0=event_loop, sender=vcpu_mark_events_pending)

    def sgi(state):
        return program(state, vcpu0=sgi_handler, vcpu1=vgic_to_sgi)

    return {
        "before": upcall(NobodyLooks),
        "after": upcall(Upcall),
        "sgi": sgi(Upcall),
        "sgi_pending": sgi(Pending),
        "sgi_locked": sgi(Locked),
    }
