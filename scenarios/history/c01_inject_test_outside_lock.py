"""Two CPUs insert one pending_irq into the inflight list (Xen e83d6b9432, April 2013).

A sender's CPU marks an upcall pending and injects the event channel's PPI; the
vCPU's own CPU, on its way back to the guest, sees upcall_pending and injects it
too (db453468d9, a week older, made it look).  "Is it inflight already?" is
asked before the vCPU's lock is taken: both hear no, and each in its turn takes
the lock and links the node in.  The fix asks under the lock.

Unlike Xen, an injected vIRQ always waits on lr_pending, and a list is one field
of the vCPU: a node linked in twice is there twice, where Xen's list would lose
its tail or become a ring.
"""

import racebench as rb

TITLE = "The sender and the vCPU's own CPU inject the event channel's PPI"
SOURCE = "vgic.c: vgic_vcpu_inject_irq @ e83d6b9432"
TAGS = ["history", "injection", "C1"]
EXPECT = {"before": ["data_race", "list.corrupted"], "after": []}

VGIC_IRQ_EVTCHN_CALLBACK = 31


class Vcpu(rb.State):
    evtchn_upcall_pending = rb.shared(False, atomic=True)
    inflight_irqs = rb.shared(())
    lr_pending = rb.shared(())

    def __init__(self):
        self.lock = rb.Lock("vcpu", 0)
        self.gic_lock = rb.Lock("gic")

    def label(self):
        return "vcpu[0]"

    def gic_set_guest_irq(self, virq):
        """Queue ``virq`` for a list register, once.  Xen: gic.c, gic_set_guest_irq @ e83d6b9432."""
        with self.gic_lock:
            if virq not in self.lr_pending:
                self.lr_pending = (*self.lr_pending, virq)

    def vgic_vcpu_inject_irq(self, virq):
        """Test and insert under one lock.  Xen: vgic.c, vgic_vcpu_inject_irq @ e83d6b9432."""
        with self.lock:
            if virq in self.inflight_irqs:
                return
            self.gic_set_guest_irq(virq)
            self.inflight_irqs = (*self.inflight_irqs, virq)


class TestedOutside(Vcpu):
    def vgic_vcpu_inject_irq(self, virq):
        """Test, then lock.  Xen: vgic.c, vgic_vcpu_inject_irq @ e83d6b9432^."""
        if virq in self.inflight_irqs:
            return
        self.gic_set_guest_irq(virq)
        with self.lock:
            self.inflight_irqs = (*self.inflight_irqs, virq)


def vcpu_mark_events_pending(v):
    """evtchn_send, on the sender's CPU.  Xen: domain.c, vcpu_mark_events_pending @ e83d6b9432."""
    v.evtchn_upcall_pending = True
    v.vgic_vcpu_inject_irq(VGIC_IRQ_EVTCHN_CALLBACK)


def gic_inject(v):
    """On the way back to the guest, on the vCPU's CPU.  Xen: gic.c, gic_inject @ e83d6b9432."""
    if v.evtchn_upcall_pending:
        v.vgic_vcpu_inject_irq(VGIC_IRQ_EVTCHN_CALLBACK)


def linked_once(v, results):
    if v.inflight_irqs == v.lr_pending == (VGIC_IRQ_EVTCHN_CALLBACK,):
        return None
    message = f"inflight {v.inflight_irqs}, lr_pending {v.lr_pending}: vIRQ 31 is not in each once"
    return rb.broken("list.corrupted", message, ("inflight",))


def variants():
    def program(state):
        return rb.Program(
            "inject_test",
            setup=state,
            threads={"vcpu0": gic_inject, "sender": vcpu_mark_events_pending},
            check=linked_once,
        )

    return {"before": program(TestedOutside), "after": program(Vcpu)}
